"""Tells dogpile where oslo.cache's dictionary driver is, which neutron asks for at its start.

Why: dogpile would load every cache driver of the environment to find it, and an ERROR about a missing memcache client
would stand in each neutron-server.log.
"""

from __future__ import annotations


def apply() -> None:
    """Register the driver; call before neutron's plugins are loaded."""
    from dogpile.cache import register_backend

    register_backend("oslo_cache.dict", "oslo_cache.backends.dictionary", "DictCacheBackend")  # type: ignore[no-untyped-call]
