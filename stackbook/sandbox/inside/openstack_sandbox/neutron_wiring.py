"""Tells each host's Open vSwitch agent which ports are plugged there: it stands in for the host's ``br-int``.

In life nova, the l3 agent and the dhcp agent plug interfaces into the integration bridge and the agent sees them
there. No guest has an interface here, so a port counts as plugged on the host to which it is bound. Subports of trunks
are the agent's own business, as in life.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from neutron_lib.api.definitions import portbindings
from neutron_lib.callbacks import events, registry, resources

Port = dict[str, Any]
Change = Callable[[str, Port | None], None]
"""Called with a port's id, and the port while it is plugged on the host, else None."""

_PLUGGED_BY = ("compute:", "network:dhcp", "network:router_")

_listeners: dict[str, Change] = {}
_subscribed = threading.Event()


def listen(host: str, change: Change | None) -> None:
    """Call `change` for every port that is plugged into `host`, changed there, or taken away; None ends it."""
    if not _subscribed.is_set():
        _subscribed.set()
        for event in (events.AFTER_CREATE, events.AFTER_UPDATE):
            registry.subscribe(_changed, resources.PORT, event)
        registry.subscribe(_deleted, resources.PORT, events.AFTER_DELETE)
    if change is None:
        _listeners.pop(host, None)
    else:
        _listeners[host] = change


def plugged(port: Port, host: str) -> bool:
    """Whether `port` has an interface in the integration bridge of `host`."""
    return (
        port.get(portbindings.HOST_ID) == host
        and port.get(portbindings.VIF_TYPE) == portbindings.VIF_TYPE_OVS
        and port["device_owner"].startswith(_PLUGGED_BY)
        and bool(port["device_id"])
    )


def _changed(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    port = payload.latest_state
    for host, change in list(_listeners.items()):
        change(port["id"], port if plugged(port, host) else None)


def _deleted(_resource: str, _event: str, _trigger: object, payload: Any) -> None:
    for change in list(_listeners.values()):
        change(payload.resource_id, None)
