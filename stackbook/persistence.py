"""A host's network configuration for its next start, as files: whichever of the four forms the host reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from stackbook.errors import Refused
from stackbook.interfaces import Bridge, ifcfg, ifupdown, keyfiles, netplan
from stackbook.resources import File
from stackbook.resources.links import links, operators_address, uses

if TYPE_CHECKING:
    from stackbook.hosts import Host
    from stackbook.interfaces import Interface
    from stackbook.interfaces.written import Written
    from stackbook.site import Site

ETHERNET = 1500
"""Bytes: the MTU of an interface of which nothing is said."""
Renderer = Callable[["Interface"], "list[Written]"]
RENDERERS: dict[str, Renderer] = {
    "netplan": netplan.files,
    "ifcfg": ifcfg.files,
    "ifupdown": ifupdown.files,
    "NetworkManager": keyfiles.files,
}
SIGNS = {
    "netplan": netplan.FOLDER,
    "ifcfg": f"{ifcfg.FOLDER}/ifup",  # RHEL 9 has the folder still, without the scripts
    "ifupdown": ifupdown.MAIN,
    "NetworkManager": keyfiles.FOLDER,
}
"""What a host has that reads each form; where there are several, the first is the one that the others yield to."""


def reader(host: Host) -> str:
    """What configures the host's network when it starts: a key of `RENDERERS`; empty where none of them does."""
    return next((name for name, sign in SIGNS.items() if host.stat(sign)), "")


def persistent(site: Site, host: str, *wanted: Interface) -> list[File]:
    """The files that give `host` these interfaces at its next start; none on a host that reads no such files (a sandbox's).

    Nothing is activated. Raises Refused for a port that carries the host's addresses, its default route or the
    operator's own connection, for an interface that would lose these, and for one that another file configures already.
    """
    on = site.host(host)
    form = reader(on)
    if not form:
        return []
    _refuse_management(on, wanted)
    written = [file for item in wanted for file in RENDERERS[form](item)]
    _refuse_configured(on, form, written, wanted)
    files = [File(host=host, path=file.path, content=_text(on, form, file), mode=file.mode) for file in written]
    return [*(_sourced(on, written) if form == "ifupdown" else ()), *files]


def _sourced(host: Host, written: Sequence[Written]) -> list[File]:
    """The main file of ifupdown with a line for each of the files that it would not read; what else lies there stays unread."""
    text = (host.read(ifupdown.MAIN) or b"").decode(errors="surrogateescape")
    missing = [file.path for file in written if not any(ifupdown.reads(line, file.path) for line in text.splitlines())]
    lines = "".join(f"source {path}\n" for path in missing)
    added = lines if not text or text.endswith("\n") else f"\n{lines}"
    return [File(host=host.name, path=ifupdown.MAIN, content=text + added)] if missing else []


def as_it_is(site: Site, host: str, bridge: str, *ports: str) -> Bridge:
    """A bridge with these ports and, where it is there already, the address and MTU that it has.

    A new one will have the smallest MTU of its ports, as Open vSwitch gives it.
    """
    known = links(site.host(host))
    link = known.get(bridge)
    sizes = {known[port].mtu for port in ports if port in known}
    port_mtu = min(sizes, default=None)
    mtu = link.mtu if link else port_mtu
    address = next(iter(link.addresses), None) if link else None
    return Bridge(name=bridge, ports=ports, address=address, mtu=_odd(mtu), port_mtu=_odd(port_mtu))


def _odd(mtu: int | None) -> int | None:
    """An MTU that has to be said: another than that of Ethernet."""
    return mtu if mtu != ETHERNET else None


def _text(host: Host, form: str, file: Written) -> str:
    found = host.read(file.path) if form == "ifcfg" else None
    return (ifcfg.keeping(file, found.decode(errors="replace")) if found else file).text


def _refuse_management(host: Host, wanted: Sequence[Interface]) -> None:
    """Refuse to take as a port, or to configure otherwise, what the host or the operator is reached by."""
    known, operator = links(host), operators_address(host)
    for port in [port for item in wanted if isinstance(item, Bridge) for port in item.ports]:
        if port not in known:
            raise Refused(f"{host.name} has no interface {port}", found=sorted(known), hint="name one of those")
        _refuse_loss(host, port, [why for why in uses(known, port, operator) if " belongs to " not in why])
    for item in wanted:
        link = known.get(item.name)
        if link and link.addresses and (link.default_routes or set(link.addresses) != {item.address}):
            _refuse_loss(host, item.name, [why for why in uses(known, item.name, operator) if " belongs to " not in why])


def _refuse_loss(host: Host, name: str, reasons: list[str]) -> None:
    if reasons:
        what = f"{host.name}: with these files the host, or you, would be cut off from {name} at its next start"
        raise Refused(what, found=reasons, hint="take another interface, one without addresses")


def _refuse_configured(host: Host, form: str, written: list[Written], wanted: Sequence[Interface]) -> None:
    """Refuse an interface that another file configures: which of the two counts is a matter of chance."""
    own = {file.path for file in written}
    names = {item.name for item in wanted} | {port for item in wanted if isinstance(item, Bridge) for port in item.ports}
    for path, text in _others(host, form):
        if path not in own and (found := sorted(name for name in names if _configures(form, text, name))):
            what = f"{host.name}: {path} configures {', '.join(found)} already"
            raise Refused(what, hint=f"take {', '.join(found)} out of it, or ask for the file to be Absent first")


def _others(host: Host, form: str) -> Iterator[tuple[str, str]]:
    folder = ifupdown.FOLDER if form == "ifupdown" else SIGNS["ifcfg"].rpartition("/")[0] if form == "ifcfg" else SIGNS[form]
    paths = [ifupdown.MAIN] if form == "ifupdown" else []
    if host.stat(folder):
        root = str(host.root).rstrip("/")
        listed = host.run(["find", root + folder, "-maxdepth", "1", "-type", "f"]).out.splitlines()
        paths += [path.removeprefix(root) for path in sorted(listed)]
    for path in paths:
        if content := host.read(path):
            yield path, content.decode(errors="replace")


def _configures(form: str, text: str, name: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    if form == "ifupdown":
        return any(line.split()[:2] == ["iface", name] for line in lines)
    if form == "NetworkManager":
        return f"interface-name={name}" in lines
    if form == "ifcfg":
        return any(line in (f"DEVICE={name}", f'DEVICE="{name}"') for line in lines)
    return _netplan(text, name)


def _netplan(text: str, name: str) -> bool:
    """Whether a file of netplan gives the interface addresses, or takes it: other files' words on it are merged."""
    import yaml

    try:
        network = (yaml.safe_load(text) or {}).get("network") or {}
        devices = {key: value or {} for kind in network.values() if isinstance(kind, dict) for key, value in kind.items()}
    except (yaml.YAMLError, AttributeError):
        return False
    own = devices.get(name, {})
    taken = any(name in (device.get("interfaces") or ()) for device in devices.values() if isinstance(device, dict))
    return taken or any(own.get(key) for key in ("addresses", "dhcp4", "dhcp6"))
