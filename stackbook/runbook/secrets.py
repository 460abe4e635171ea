"""Secrets are no parameters: parameters are recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackbook.errors import BadInput
from stackbook.render.redact import redact
from stackbook.secrets import SECRET_NAME

PLACE = "secrets belong in clouds.yaml (or OS_* variables): name that cloud as the site"


def refuse_secret(name: str, value: Any) -> None:
    """Raise BadInput when a parameter's name or value looks like a secret; the value is not repeated."""
    if SECRET_NAME.search(name):
        raise BadInput(f"parameter {name}: looks like a secret, and parameters are recorded", hint=PLACE)
    if any(redact(text) != text for text in _texts(value)):
        raise BadInput(f"parameter {name}: its value looks like a key, a token or a URL with a password", hint=PLACE)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield f"{name}={item}" if isinstance(item, str) else str(name)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    else:
        yield str(value)
