"""What a project may use, and uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stackbook.render.frame import Frame, frame
from stackbook.resources import Quota, lookup
from stackbook.resources.quota import COMPUTE, STORAGE, UNLIMITED, details, in_use
from stackbook.site import Site

Row = Mapping[str, Any]


def limits(site: Site, project: str) -> Frame:
    """A row for each quota of `project` (name or id): used, limit (none where there is no limit), service; the fullest first.

    Raises Refused, with the nearest names, for a project that is not there.
    """
    id = lookup.require_project(Quota(project), site, project, ())
    return frame(sorted((_row(name, told) for name, told in details(site, str(id)).items()), key=_room))


def _row(name: str, told: Any) -> Row:
    limit = (told or {}).get("limit", UNLIMITED)
    service = "compute" if name in COMPUTE else "storage" if name in STORAGE else "network"
    return {"quota": name, "used": in_use(told), "limit": None if limit == UNLIMITED else limit, "service": service}


def _room(row: Row) -> float:
    """The share that is free: 0 where nothing is, 1 without a limit."""
    return 1.0 if row["limit"] is None else 1 - min(row["used"] / row["limit"], 1) if row["limit"] else 0.0
