"""Gives each cinder service in the process its own heartbeat id.

Why: ``cinder.service.Service.service_id`` is one class attribute, meant for one service per process. With scheduler and
volume service in one, the last one started would send its heartbeat for both, and the other would be reported down.
"""

from __future__ import annotations

from openstack_sandbox import cinder_logs


def apply() -> None:
    """Make the class attribute depend on the service for which the thread works."""
    from cinder import service

    ids: dict[str, int | None] = {}

    def read(_cls: type) -> int | None:
        return ids.get(cinder_logs.current.get())

    def write(_cls: type, value: int | None) -> None:
        ids[cinder_logs.current.get()] = value

    kind = type(service.Service)
    service.Service.__class__ = type("PerService", (kind,), {"service_id": property(read, write)})
