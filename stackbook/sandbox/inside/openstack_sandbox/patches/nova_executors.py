"""Each unit has its own thread pools.

Why: nova keeps one set of pools per process. A nova-compute that stops shuts them down for good, which would take the
API, the scheduler and the other compute host with it.
"""

from __future__ import annotations

from typing import Any

from openstack_sandbox.nova_units import CURRENT


def apply() -> None:
    """Patch ``nova.thread_pool_factory``."""
    from nova import thread_pool_factory

    common = thread_pool_factory.FACTORY

    class PoolsOfUnit:
        """Passes everything on to the pools of the current unit."""

        def __getattr__(self, name: str) -> Any:
            return getattr(_pools(common), name)

    thread_pool_factory.FACTORY = PoolsOfUnit()


def _pools(common: Any) -> Any:
    from nova import thread_pool_factory

    unit = CURRENT.get()
    if unit is None:
        return common
    if unit.pools is None:
        unit.pools = thread_pool_factory.ThreadPoolFactory()
    return unit.pools
