"""A resource kind that needs no cloud: things in a JSON file, so that they outlive the kernels that make them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stackbook.plans import Actual, Change, Resource, Values
from stackbook.site import Site

STORE = "FAKE_THINGS"
"""Names the JSON file: thing name to its values."""


@dataclass(frozen=True)
class FakeThing(Resource):
    """A thing with a size and a colour."""

    kind = "fake_thing"
    name: str
    size: int | None = None
    colour: str | None = None
    slow: float | None = None
    """Seconds that making it takes."""
    hidden = frozenset({"slow"})

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The thing as the file has it."""
        found = things().get(self.name)
        return Actual(found["id"], {"size": found["size"], "colour": found["colour"]}) if found else None

    def create(self, site: Site, change: Change) -> Values:
        """Write it to the file."""
        time.sleep(self.slow or 0)
        if self.name in things():
            raise FileExistsError(f"{self.name} exists already")
        made = {"id": f"id-{self.name}", "size": self.size, "colour": self.colour}
        keep({**things(), self.name: made})
        return {"id": made["id"]}

    def update(self, site: Site, change: Change) -> Values:
        """Change its values in the file."""
        found = things()
        keep({**found, self.name: {**found[self.name], **change.after}})
        return {"id": found[self.name]["id"]}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove it from the file."""
        found = things()
        gone = found.pop(self.name)
        keep(found)
        return {"id": gone["id"]}


def things() -> dict[str, Values]:
    """All things there are."""
    path = Path(os.environ[STORE])
    return dict(json.loads(path.read_text())) if path.exists() else {}


def keep(found: dict[str, Values]) -> None:
    """Write all things, as a whole."""
    path = Path(os.environ[STORE])
    new = path.with_suffix(".new")
    new.write_text(json.dumps(found))
    new.replace(path)
