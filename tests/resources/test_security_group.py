"""Security groups on the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stackbook import plan
from stackbook.errors import Refused
from stackbook.resources import SecurityGroup
from tests.resources.conftest import Cycle, NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection


def held(cloud: Connection, name: str, direction: str) -> set[str]:
    """The ids of a group's rules of one direction."""
    group = next(cloud.network.security_groups(name=name))
    return {rule["id"] for rule in group.security_group_rules if rule["direction"] == direction}


def test_a_security_group(cycle: Cycle, name: str, cloud: Connection, unchanged: None) -> None:
    """Made with rules in any form, repeated, changed and taken back; a rule that stays is not touched."""
    cycle.apply(
        SecurityGroup(
            name, rules=["ingress tcp 22 from 10.1.2.3/8", "ingress icmp", f"ingress tcp 80-81 from group {name}", "ingress 112"]
        )
    )
    before = held(cloud, name, "ingress")
    cycle.apply(SecurityGroup(name, description="web", rules=["ingress tcp 443", "ingress 6 22-22 from 10.0.0.0/8"]))
    assert len(held(cloud, name, "ingress")) == 2 and len(held(cloud, name, "ingress") & before) == 1
    cycle.undo()


def test_egress_rules(cycle: Cycle, name: str, cloud: Connection, unchanged: None) -> None:
    """Those that neutron makes stay while no egress rule is listed; once one is, exactly those listed count."""
    cycle.apply(SecurityGroup(name, rules=["ingress icmp"]))
    assert len(held(cloud, name, "egress")) == 2
    changed = cycle.apply(SecurityGroup(name, rules=["egress tcp 443", "ingress icmp"]))
    assert "egress ipv6" in changed.changes[0].before["rules"]
    assert len(held(cloud, name, "egress")) == 1
    cycle.undo()


def test_no_rules(cycle: Cycle, name: str, cloud: Connection) -> None:
    """An empty list lets nothing in; none given leaves the rules as they are."""
    cycle.apply(SecurityGroup(name, rules=["ingress icmp"]))
    cycle.apply(SecurityGroup(name, description="x"))
    assert len(held(cloud, name, "ingress")) == 1
    cycle.apply(SecurityGroup(name, rules=[]))
    assert not held(cloud, name, "ingress")


def test_groups_that_refer_to_others(cycle: Cycle, name: str, unchanged: None) -> None:
    """To one that is listed before."""
    cycle.apply(SecurityGroup(f"{name}-a"), SecurityGroup(f"{name}-b", rules=[f"ingress tcp 5432 from group {name}-a"]))
    cycle.undo()


def test_a_rule_that_refers_to_nothing(new_site: NewSite, name: str) -> None:
    """Refused while planning."""
    with pytest.raises(Refused, match="'nothing' does not exist"):
        plan([SecurityGroup(name, rules=["ingress tcp 22 from group nothing"])], new_site())
