"""Metadata as it may be shown: what people type into it is a password now and then."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from stackbook.errors import BadInput

TELLING = re.compile(r"pass(word|wd|phrase)?(?![a-z])|secret|token|credential|api_?key|private_?key|auth_?key", re.IGNORECASE)
MASK = "(not shown)"


TIMES = re.compile(r"(_at|_time|_expires|_date)$", re.IGNORECASE)


def telling(name: str) -> bool:
    """Whether a key's name says that its value is a secret; a time about one is none."""
    return bool(TELLING.search(name)) and not TIMES.search(name)


def masked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with secrets masked, at any depth."""
    return {name: MASK if telling(str(name)) and value not in (None, "") else _inner(value) for name, value in values.items()}


def refuse_telling(address: str, field: str, values: Mapping[str, Any] | None) -> None:
    """Refuse to carry a secret in a plan."""
    if names := [name for name, value in (values or {}).items() if telling(str(name)) and value not in (None, MASK)]:
        what = f"{address}: {field} {', '.join(names)} looks like a secret, which would be in the plan and the journal"
        raise BadInput(what, hint="set it by hand, or name the key otherwise")


def shown_only(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping without what was masked: a mask is never written back."""
    return {name: value for name, value in values.items() if value != MASK}


def _inner(value: Any) -> Any:
    if isinstance(value, Mapping):
        return masked(value)
    return [_inner(item) for item in value] if isinstance(value, (list, tuple)) else value
