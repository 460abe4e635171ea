"""What the Open vSwitch agent does for trunks: it binds the subports where the parent is, and says the trunk is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neutron.services.trunk.rpc import agent as trunk_rpc
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.services.trunk import constants

from openstack_sandbox.neutron_wiring import Port

if TYPE_CHECKING:
    from openstack_sandbox.neutron_agent_ovs import OpenvswitchAgent


class Trunks:
    """The trunks whose parent ports are plugged on one agent's host."""

    def __init__(self, agent: OpenvswitchAgent) -> None:
        self._agent = agent
        self._rpc = trunk_rpc.TrunkStub()
        self._subports: dict[str, dict[str, set[str]]] = {}  # parent port id -> trunk id -> ids of its subports
        self._heard = (
            (self._joined, resources.SUBPORTS, events.AFTER_CREATE),
            (self._left, resources.SUBPORTS, events.AFTER_DELETE),
            (self._made, resources.TRUNK, events.AFTER_CREATE),
            (self._deleted, resources.TRUNK, events.AFTER_DELETE),
        )

    def listen(self) -> None:
        """From now on hear of trunks and subports that come and go."""
        for heard in self._heard:
            registry.subscribe(*heard)

    def stop(self) -> None:
        """Hear of nothing any more."""
        for heard in self._heard:
            registry.unsubscribe(*heard)

    def wire(self, parent: Port) -> None:
        """Wire the trunk of `parent`, if it is the parent of one."""
        trunk = parent.get("trunk_details")
        if trunk:
            self._wire(parent["id"], trunk["trunk_id"], {subport["port_id"] for subport in trunk["sub_ports"]})

    def unwire(self, parent_id: str) -> None:
        """Take down the subports of a parent port that was unplugged."""
        for subports in self._subports.pop(parent_id, {}).values():
            self._agent.take_down(sorted(subports))

    def _wire(self, parent_id: str, trunk_id: str, joining: set[str]) -> None:
        subports = self._subports.setdefault(parent_id, {}).setdefault(trunk_id, set())
        subports |= joining
        asked = [{"trunk_id": trunk_id, "port_id": port_id} for port_id in sorted(joining)]
        reply = self._rpc.update_subport_bindings(self._agent.context, subports=asked) if asked else {}
        bound = [port["id"] for port in reply.get(trunk_id, ())]
        if bound:
            self._agent.bring_up(bound)
        status = constants.TRUNK_ACTIVE_STATUS if len(bound) == len(asked) else constants.TRUNK_DEGRADED_STATUS
        self._rpc.update_trunk_status(self._agent.context, trunk_id, status)

    def _unwire(self, parent_id: str, trunk_id: str, leaving: set[str]) -> None:
        self._subports.get(parent_id, {}).get(trunk_id, set()).difference_update(leaving)
        if leaving:
            self._agent.take_down(sorted(leaving))

    def _joined(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        trunk, joined = payload.latest_state, _port_ids(payload.metadata["subports"])
        if trunk.port_id in self._subports:
            self._agent.do(lambda: self._wire(trunk.port_id, trunk.id, joined))

    def _left(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        trunk, left = payload.latest_state, _port_ids(payload.metadata["subports"])
        if trunk.port_id in self._subports:
            self._agent.do(lambda: self._unwire(trunk.port_id, trunk.id, left))
            self._agent.do(lambda: self._wire(trunk.port_id, trunk.id, set()))

    def _made(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        trunk = payload.latest_state
        if self._agent.knows(trunk.port_id):
            subports = _port_ids(trunk.sub_ports)
            self._agent.do(lambda: self._wire(trunk.port_id, trunk.id, subports))

    def _deleted(self, _resource: str, _event: str, _trigger: object, payload: Any) -> None:
        trunk = payload.latest_state
        if trunk.port_id in self._subports:
            self._agent.do(lambda: self.unwire(trunk.port_id))


def _port_ids(subports: Any) -> set[str]:
    return {subport.port_id for subport in subports}
