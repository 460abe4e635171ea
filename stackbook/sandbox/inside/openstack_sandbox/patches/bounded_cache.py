"""Bounds dogpile's caches in memory.

Why: keystone's cache cuts the cost of a request to a seventh, but a plain dictionary keeps what it knows of each token
for as long as the process lives.
"""

from __future__ import annotations

from typing import Any

LIMIT = 10_000
"""Entries; each is a few kilobytes at most."""


def apply() -> None:
    """Let a cache in memory start over when it is full; call before it is configured."""
    from dogpile.cache.backends import memory

    def start(self: Any, arguments: dict[str, Any]) -> None:
        self._cache = arguments.get("cache_dict", _Bounded())

    memory.MemoryBackend.__init__ = start  # type: ignore[method-assign]


class _Bounded(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= LIMIT:
            self.clear()
        super().__setitem__(key, value)
