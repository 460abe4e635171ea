"""Neutron's answers: type drivers, VLAN ranges, bridge mappings and interfaces, for openvswitch and OVN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from stackbook.packstack import catalogue
from stackbook.packstack.answers import Answers
from stackbook.packstack.finding import Row, row

AGENT = "CONFIG_NEUTRON_L2_AGENT"
ML2 = "CONFIG_NEUTRON_ML2_"
TYPES, TENANTS, DRIVERS, RANGES = (
    ML2 + name for name in ("TYPE_DRIVERS", "TENANT_NETWORK_TYPES", "MECHANISM_DRIVERS", "VLAN_RANGES")
)
BY_BACKEND = ("BRIDGE_MAPPINGS", "BRIDGE_IFACES", "BRIDGES_COMPUTE", "EXTERNAL_PHYSNET", "TUNNEL_IF", "TUNNEL_SUBNETS")


def backend(answers: Answers) -> str:
    """``OVN`` or ``OVS``: the middle of the names of the options that count."""
    return "OVN" if answers.answer(AGENT) == "ovn" else "OVS"


def named(answers: Answers, name: str) -> str:
    """The full name of an option of the backend in use, such as ``CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS``."""
    return f"CONFIG_NEUTRON_{backend(answers)}_{name}"


def findings(answers: Answers) -> Iterator[Row]:
    """Rows of level, option, found, hint."""
    if not answers.on("CONFIG_NEUTRON_INSTALL"):
        return
    yield from _drivers(answers)
    yield from _types(answers)
    yield from _ranges(answers)
    yield from _mappings(answers)
    yield from _interfaces(answers)
    yield from _demo(answers)


def _drivers(answers: Answers) -> Iterator[Row]:
    agent, drivers = answers.answer(AGENT), answers.items(DRIVERS)
    if agent in ("ovn", "openvswitch", "linuxbridge") and agent not in drivers:
        yield row("error", DRIVERS, f"is {','.join(drivers) or 'empty'}, and the agent is {agent}", f"name {agent} in it")
    unused = "OVS" if agent == "ovn" else "OVN"
    release = catalogue.options(answers.release)
    for name in (f"CONFIG_NEUTRON_{unused}_{part}" for part in BY_BACKEND):
        if name in release and name in answers.names and answers.answer(name) != release[name].default:
            hint = (
                f"set {named(answers, name.split('_', 3)[3])} instead, or {AGENT}={'openvswitch' if unused == 'OVS' else 'ovn'}"
            )
            yield row("error", name, f"is set, and has no effect with {AGENT}={agent}", hint)
    if agent == "ovn":
        if set(tenants := answers.items(TENANTS)) - {"geneve"}:
            yield row(
                "error",
                TENANTS,
                f"is {','.join(tenants)}: with OVN Packstack makes it geneve",
                "set geneve, or the agent openvswitch",
            )
        if answers.on("CONFIG_NEUTRON_VPNAAS"):
            yield row("error", "CONFIG_NEUTRON_VPNAAS", "is y: with OVN Packstack makes it n", "set n, or the agent openvswitch")


def _types(answers: Answers) -> Iterator[Row]:
    types, tenants = answers.items(TYPES), answers.items(TENANTS)
    if missing := [name for name in tenants if name not in types]:
        yield row("error", TENANTS, f"names {', '.join(missing)}, which is no type driver", f"add it to {TYPES}")
    if "vlan" in types and not answers.items(RANGES):
        level = "error" if "vlan" in tenants else "warning"
        yield row(level, RANGES, "is empty, and vlan is a type driver", "name the physical network: default:1:1399")
    if "vlan" not in types and answers.items(RANGES):
        yield row("error", TYPES, f"lacks vlan, and {RANGES} is set", "add vlan to it")


def _ranges(answers: Answers) -> Iterator[Row]:
    mapped = {network for network, _ in mappings(answers)}
    for entry in answers.items(RANGES):
        network, *ends = entry.split(":")
        numbers = [int(end) for end in ends if end.isdecimal() and len(end) < 5]
        if len(ends) not in (0, 2) or len(numbers) != len(ends) or (ends and not 1 <= numbers[0] <= numbers[1] <= 4094):
            yield row("error", RANGES, f"{entry!r} is no range", "NETWORK:FIRST:LAST within 1 to 4094, such as default:1:1399")
        elif network not in mapped:
            yield row(
                "error",
                RANGES,
                f"{network} is mapped to no bridge",
                f"add {network}:br-ex to {named(answers, 'BRIDGE_MAPPINGS')}",
            )


def _mappings(answers: Answers) -> Iterator[Row]:
    option = named(answers, "BRIDGE_MAPPINGS")
    for entry in answers.items(option):
        if entry.count(":") != 1 or entry.startswith(":") or entry.endswith(":"):
            yield row("error", option, f"{entry!r} is no mapping", "NETWORK:BRIDGE, such as default:br-ex")
    pairs = mappings(answers)
    for what, names in (("network", [network for network, _ in pairs]), ("bridge", [bridge for _, bridge in pairs])):
        for name in (name for name, count in Counter(names).items() if count > 1):
            yield row(
                "error", option, f"{what} {name} is mapped more than once", "a network has one bridge, a bridge one network"
            )
    bridges = {bridge for _, bridge in pairs}
    computes = named(answers, "BRIDGES_COMPUTE")
    for bridge in answers.items(computes):
        if bridge not in bridges:
            yield row("error", computes, f"{bridge} is in no mapping", f"add it to {option}")


def _interfaces(answers: Answers) -> Iterator[Row]:
    option = named(answers, "BRIDGE_IFACES")
    pairs = [tuple(entry.split(":")) for entry in answers.items(option)]
    for pair in pairs:
        if len(pair) != 2 or not all(pair):
            yield row("error", option, f"{':'.join(pair)!r} is no bridge with its interface", "BRIDGE:NIC, such as br-ex:eno2")
    good = [pair for pair in pairs if len(pair) == 2 and all(pair)]
    bridges = {bridge for _, bridge in mappings(answers)}
    for bridge, nic in good:
        if bridge not in bridges:
            yield row(
                "error",
                option,
                f"{bridge} (with {nic}) is in no mapping",
                f"add NETWORK:{bridge} to {named(answers, 'BRIDGE_MAPPINGS')}",
            )
        if nic == answers.answer(named(answers, "TUNNEL_IF")):
            hint = "take another NIC for the tunnels, or for the bridge"
            yield row("error", option, f"{nic} carries the tunnels too: in the bridge it loses its address", hint)
    for nic in (nic for nic, count in Counter(nic for _, nic in good).items() if count > 1):
        yield row("error", option, f"{nic} is in two bridges", "a NIC is a port of one bridge")
    for bridge in sorted(bridges - {bridge for bridge, _ in good}) if answers.items(RANGES) else []:
        yield row("warning", option, f"{bridge} has no interface: no VLAN leaves the host by it", f"add {bridge}:NIC")


def _demo(answers: Answers) -> Iterator[Row]:
    if not answers.on("CONFIG_PROVISION_DEMO"):
        return
    option, external = named(answers, "EXTERNAL_PHYSNET"), answers.answer(named(answers, "EXTERNAL_PHYSNET"))
    if "flat" not in answers.items(TYPES) and external:
        yield row("error", "CONFIG_PROVISION_DEMO", f"makes a flat network, and {TYPES} lacks flat", "add flat, or set n")
    if external and external not in {network for network, _ in mappings(answers)}:
        hint = "set the mapped network, or CONFIG_PROVISION_DEMO=n"
        yield row("error", option, f"is {external}, which no bridge is mapped to: the demo's network fails", hint)
    if answers.items(named(answers, "BRIDGE_IFACES")):
        ranges = answers.answer("CONFIG_PROVISION_DEMO_FLOATRANGE")
        found = f"puts {ranges} on a bridge with a real NIC"
        yield row("warning", "CONFIG_PROVISION_DEMO", found, "set n: provider networks are yours to make (runbook provider-vlan)")


def mappings(answers: Answers) -> list[tuple[str, str]]:
    """Pairs of physical network and bridge, of the backend in use; entries that are none left out."""
    entries = (entry.partition(":") for entry in answers.items(named(answers, "BRIDGE_MAPPINGS")))
    return [(network, bridge) for network, _, bridge in entries if network and bridge and ":" not in bridge]
