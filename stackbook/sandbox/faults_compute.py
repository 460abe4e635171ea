"""Faults of compute: hosts down, disabled or full, filters, zones, flavors, quotas."""

from __future__ import annotations

from collections.abc import Callable

from stackbook.sandbox.faults import Fault
from stackbook.sandbox.faults_bench import COMPUTES, CONTROLLER, Bench, Memo

CONF = "/etc/nova/nova.conf"
FILTERS = (
    "ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,ServerGroupAffinityFilter,"
    "AggregateInstanceExtraSpecsFilter"
)


def _compute_down(bench: Bench) -> None:
    for host in COMPUTES:
        bench.stop(host, "nova-compute")
        bench.silence("nova", "services", {"binary": "nova-compute", "host": host}, "updated_at", "last_seen_up")


def _compute_disabled(bench: Bench) -> None:
    for service in bench.ask("compute", "GET", "/os-services?binary=nova-compute")["services"]:
        if service["status"] == "enabled":
            off = {"status": "disabled", "disabled_reason": "maintenance"}
            bench.set_answer("compute", f"/os-services/{service['id']}", off, {"status": "enabled"})


def _smaller(option: str, value: str) -> Callable[[Bench], None]:
    def make(bench: Bench) -> None:
        for host in COMPUTES:
            bench.set_option(host, CONF, "sandbox", option, value)
            bench.restart(host, "nova-compute")

    return make


def _aggregate_mismatch(bench: Bench) -> None:
    bench.set_option(CONTROLLER, CONF, "filter_scheduler", "enabled_filters", FILTERS)
    bench.restart(CONTROLLER, "nova-scheduler")
    flavor = {"name": "fault-ssd", "ram": 64, "vcpus": 1, "disk": 1, "id": "fault-ssd"}
    bench.made("compute", "/flavors/fault-ssd")
    bench.ask("compute", "POST", "/flavors", {"flavor": flavor})
    specs = {"extra_specs": {"aggregate_instance_extra_specs:ssd": "true"}}
    bench.ask("compute", "POST", "/flavors/fault-ssd/os-extra_specs", specs)


def _zone_empty(bench: Bench) -> None:
    about = {"aggregate": {"name": "fault-rack2", "availability_zone": "rack2"}}
    made = bench.ask("compute", "POST", "/os-aggregates", about)["aggregate"]["id"]
    bench.made("compute", f"/os-aggregates/{made}")


QUOTAS = {
    "compute": "/os-quota-sets/{}/detail",
    "block_storage": "/os-quota-sets/{}?usage=True",
    "network": "/quotas/{}/details.json",
}


def _quota(service: str, name: str) -> Callable[[Bench], None]:
    """Lower a limit of the project ``admin`` to what is in use."""

    def make(bench: Bench) -> None:
        key = "quota" if service == "network" else "quota_set"
        path = f"/{'quotas' if service == 'network' else 'os-quota-sets'}/{bench.project}"
        found: Memo = bench.ask(service, "GET", QUOTAS[service].format(bench.project))[key][name]
        used = found["used"] if service == "network" else found["in_use"]
        bench.set_answer(service, path, {key: {name: used}}, {key: {name: found["limit"]}})

    return make


SERVER = "openstack server create --image sandbox-linux --network NET"
FAULTS = (
    Fault(
        "compute-down",
        "nova-compute is dead on all compute hosts",
        f"{SERVER} --flavor m1.tiny web",
        "compute-down",
        _compute_down,
    ),
    Fault(
        "compute-disabled",
        "nova-compute is disabled on all compute hosts",
        f"{SERVER} --flavor m1.tiny web",
        "compute-disabled",
        _compute_disabled,
    ),
    Fault(
        "ram-full",
        "no compute host has 1 GiB of memory left",
        f"{SERVER} --flavor m1.medium web",
        "no-room-ram",
        _smaller("memory_mb", "1024"),
    ),
    Fault(
        "vcpu-full",
        "no compute host has more than one vCPU for a server",
        f"{SERVER} --flavor m1.large web",
        "no-room-vcpu",
        _smaller("vcpus", "1"),
    ),
    Fault(
        "disk-full",
        "no compute host has 10 GiB of disk",
        f"{SERVER} --flavor m1.small web",
        "no-room-disk",
        _smaller("disk_gb", "10"),
    ),
    Fault(
        "aggregate-mismatch",
        "flavor fault-ssd wants hosts of an aggregate with ssd=true; there is none",
        f"{SERVER} --flavor fault-ssd web",
        "nova-filter-zero",
        _aggregate_mismatch,
    ),
    Fault(
        "zone-empty",
        "availability zone rack2 has no host",
        f"{SERVER} --flavor m1.tiny --availability-zone rack2 web",
        "nova-zone-unavailable",
        _zone_empty,
    ),
    Fault(
        "quota-instances",
        "the project may have no more servers",
        f"{SERVER} --flavor m1.tiny web",
        "nova-quota",
        _quota("compute", "instances"),
    ),
    Fault(
        "quota-cores",
        "the project may use no more vCPUs",
        f"{SERVER} --flavor m1.tiny web",
        "nova-quota",
        _quota("compute", "cores"),
    ),
    Fault(
        "quota-ram",
        "the project may use no more memory",
        f"{SERVER} --flavor m1.tiny web",
        "nova-quota",
        _quota("compute", "ram"),
    ),
    Fault(
        "quota-ports",
        "the project may have no more ports",
        "openstack port create --network NET web",
        "quota-full",
        _quota("network", "port"),
    ),
    Fault(
        "quota-networks",
        "the project may have no more networks",
        "openstack network create net",
        "quota-full",
        _quota("network", "network"),
    ),
    Fault(
        "quota-volumes",
        "the project may have no more volumes",
        "openstack volume create --size 1 disk",
        "cinder-quota",
        _quota("block_storage", "volumes"),
    ),
    Fault(
        "quota-gigabytes",
        "the project may use no more volume space",
        "openstack volume create --size 1 disk",
        "cinder-quota",
        _quota("block_storage", "gigabytes"),
    ),
)
