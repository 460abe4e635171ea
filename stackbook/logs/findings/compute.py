"""Compute: services, and room on the hosts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackbook.logs.asking import Row
from stackbook.logs.findings.case import Case, Told, finding


def compute_hosts(case: Case) -> Iterator[Told]:
    """Compute services that are down or disabled."""
    for service in case.answers.compute_services:
        if service["binary"] != "nova-compute":
            continue
        host, asked = service["host"], "GET /os-services"
        if service.get("state") == "down" or service.get("forced_down"):
            text = f"nova-compute on {host} is down (last report {service.get('updated_at')})"
            yield finding("compute-down", asked, text, host=host, time=service.get("updated_at"), filter="ComputeFilter")
        elif service.get("status") == "disabled":
            why = service.get("disabled_reason") or "no reason given"
            yield finding("compute-disabled", asked, f"nova-compute on {host} is disabled ({why})", host=host)


CONTROL = ("nova-scheduler", "nova-conductor")


def control(case: Case) -> Iterator[Told]:
    """Of a server that is still being built, or a call that nobody answered: the services that should have."""
    if not (case.subject.kind == "server" and case.subject.status == "BUILD") and not case.seen("rpc-timeout"):
        return
    for service in case.answers.compute_services:
        if service["binary"] in CONTROL and service.get("state") == "down":
            text = f"{service['binary']} on {service['host']} is down (last report {service.get('updated_at')})"
            yield finding("nova-control-down", "GET /os-services", text, host=service["host"], service=service["binary"])


CLASSES = {
    "VCPU": ("vcpus", "no-room-vcpu", "vCPU"),
    "MEMORY_MB": ("ram", "no-room-ram", "MiB of memory"),
    "DISK_GB": ("disk", "no-room-disk", "GiB of disk"),
}


def room(case: Case) -> Iterator[Told]:
    """Of what the flavor asks, what no usable compute host has left."""
    if not case.seen("nova-no-allocation-candidates", "nova-novalidhost"):
        return
    asked = _asked_room(case)
    for kind, (_, id, unit) in CLASSES.items():
        wanted = asked.get(kind, 0)
        left = {name: _left(case, provider, kind) for name, provider in _usable(case)}
        if wanted and left and max(left.values()) < wanted:
            told = ", ".join(f"{name} {most}" for name, most in sorted(left.items()))
            yield finding(
                id,
                "GET placement inventories",
                f"{wanted} {unit} asked; the most that one request can get: {told}",
                wanted=wanted,
            )


def _asked_room(case: Case) -> Mapping[str, int]:
    server = case.subject.row if case.subject.kind == "server" else _server_of(case)
    flavor = server.get("flavor") or {}
    local = 0 if not server.get("image") else int(flavor.get("disk", 0)) + int(flavor.get("ephemeral", 0))
    return {"VCPU": int(flavor.get("vcpus", 0)), "MEMORY_MB": int(flavor.get("ram", 0)), "DISK_GB": local}


def _server_of(case: Case) -> Row:
    for server in case.named("server"):
        if row := case.answers.one("compute", f"/servers/{server}", "server"):
            return row
    return {}


def _usable(case: Case) -> list[tuple[str, str]]:
    return [
        (str(row["hypervisor_hostname"]), str(row["id"]))
        for row in case.answers.hypervisors
        if row.get("status") == "enabled" and row.get("state") == "up"
    ]


def _left(case: Case, provider: str, kind: str) -> int:
    stock, used = case.answers.inventory(provider)
    if kind not in stock:
        return 0
    entry = stock[kind]
    free = (entry["total"] - entry["reserved"]) * entry["allocation_ratio"] - used.get(kind, 0)
    return max(0, min(int(free), int(entry["max_unit"])))
