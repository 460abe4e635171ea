"""Answers that an installation for real use has, as options to set: whatever layer-2 backend the file asks for."""

from __future__ import annotations

from stackbook.errors import BadInput
from stackbook.packstack import catalogue, networks
from stackbook.packstack.answers import Answers


def edits(answers: Answers, *, group: str = "", demo: bool | None = None, vlans: str = "", mapping: str = "") -> dict[str, str]:
    """The options to set; what is already as asked is among them, what is not asked for is not.

    Args:
        answers: The file as it is.
        group: Volume group for cinder that is there already; Packstack then makes no loop file.
        demo: Whether Packstack makes its demo project, networks and image.
        vlans: VLAN ids that networks may have, ``FIRST:LAST``, on the mapping's physical network.
        mapping: ``NETWORK:BRIDGE:NIC``, or without NIC; another network on the same bridge gives way.
    """
    wanted: dict[str, str] = {}
    if group:
        wanted |= {"CONFIG_CINDER_BACKEND": "lvm", "CONFIG_CINDER_VOLUMES_CREATE": "n", "CONFIG_CINDER_VOLUME_NAME": group}
    if demo is not None:
        wanted["CONFIG_PROVISION_DEMO"] = "y" if demo else "n"
    if mapping or vlans:
        network, bridge, nic = _parts(mapping)
        wanted |= _mapped(answers, network, bridge)
        wanted |= _ranged(answers, f"{network}:{vlans}") if vlans else {}
        wanted |= _ported(answers, bridge, nic) if nic else {}
    known = catalogue.options(answers.release)
    if unknown := [name for name, value in wanted.items() if name not in known and value != _always(name)]:
        raise BadInput(f"{answers.name}: Packstack {answers.release} has no {', '.join(unknown)}", hint="take a newer release")
    return {name: value for name, value in wanted.items() if name in known}


def _parts(mapping: str) -> tuple[str, str, str]:
    network, bridge, nic = ([*mapping.split(":"), "", ""])[:3]
    if mapping.count(":") not in (1, 2) or not network or not bridge:
        raise BadInput(f"mapping {mapping!r} is not NETWORK:BRIDGE:NIC", hint="for example default:br-ex:eno2")
    return network, bridge, nic


def _mapped(answers: Answers, network: str, bridge: str) -> dict[str, str]:
    there = networks.mappings(answers)
    kept = [(each, other) for each, other in there if each != network and other != bridge]
    pairs = there if (network, bridge) in there else [*kept, (network, bridge)]
    wanted = {networks.named(answers, "BRIDGE_MAPPINGS"): ",".join(":".join(pair) for pair in pairs)}
    external = networks.named(answers, "EXTERNAL_PHYSNET")
    if answers.answer(external) and answers.answer(external) not in {each for each, _ in pairs}:
        wanted[external] = network
    return wanted


def _ranged(answers: Answers, entry: str) -> dict[str, str]:
    types, ranges = answers.items(networks.TYPES), answers.items(networks.RANGES)
    network = entry.split(":", maxsplit=1)[0]
    others = [each for each in ranges if each.split(":")[0] != network]
    return {
        networks.TYPES: ",".join(types if "vlan" in types else [*types, "vlan"]),
        networks.RANGES: ",".join([*others, entry]),
    }


def _ported(answers: Answers, bridge: str, nic: str) -> dict[str, str]:
    option = networks.named(answers, "BRIDGE_IFACES")
    others = [entry for entry in answers.items(option) if entry.split(":")[0] != bridge]
    return {option: ",".join([*others, f"{bridge}:{nic}"])}


def _always(name: str) -> str:
    """What a release without the option does all the same."""
    return {"CONFIG_CINDER_VOLUME_NAME": "cinder-volumes"}.get(name, "")
