"""Gives WSGI applications a ``wsgi.input`` whose ``close()`` does nothing.

Why: glance closes its input after an upload. In cheroot that closes the keep-alive connection's own reader, and the
client's next request on it fails.
"""

from __future__ import annotations

from typing import Any


class KeptOpen:
    """A request's body, passed on to the application; closing it has no effect."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)

    def __iter__(self) -> Any:
        return iter(self._body)

    def close(self) -> None:
        """Do nothing: the connection is the server's to close."""
