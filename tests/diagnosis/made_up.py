"""Made-up logs of three hosts, and their diagnosis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from stackbook.config import HostSettings, SiteSettings
from stackbook.journal import new_run
from stackbook.logs.diagnose import diagnose
from stackbook.logs.diagnosis import Diagnosis
from stackbook.site import Site

BEGIN = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
SERVER, OTHER = "1b1f8c3e-7a64-4f0e-9c4e-0f6f2a9d3c11", "2c2f8c3e-7a64-4f0e-9c4e-0f6f2a9d3c22"
PORT, OTHERS_PORT = "7d0d5f0a-52f3-4b0f-8a4c-6c0b1f6f8e22", "8e0d5f0a-52f3-4b0f-8a4c-6c0b1f6f8e33"
REQUEST, FOREIGN = "req-11111111-1111-4111-8111-111111111111", "req-22222222-2222-4222-8222-222222222222"
SEGMENTS = "[{'id': 'x', 'network_type': 'vlan', 'physical_network': 'default', 'segmentation_id': 204}]"


class Logs:
    """Log files of made-up hosts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts = ("controller1", "compute1", "compute2")
        for host in self.hosts:
            (folder / host / "var" / "log").mkdir(parents=True)

    def add(self, host: str, service: str, second: float, level: str, text: str, request: str = "", instance: str = "") -> None:
        """One line, in oslo.log's form; with `request` as its global id."""
        path = self.folder / host / "var" / "log" / service.partition("-")[0] / f"{service}.log"
        path.parent.mkdir(exist_ok=True)
        stamp = (BEGIN + timedelta(seconds=second)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        context = (
            f"[{request} {request.replace('-4', '-5')} user project - - default default]"
            if request
            else "[None None - - - - - -]"
        )
        tag = f"[instance: {instance}] " if instance else ""
        with path.open("a") as stream:
            stream.write(f"{stamp} 100 {level} {service.replace('-', '.')} {context} {tag}{text}\n")

    def failed_build(self, host: str = "compute1", second: float = 10) -> None:
        """The symptom, and the relays that lead to neutron."""
        failed = f"Build of instance {SERVER} was re-scheduled: Binding failed for port {PORT}, please check neutron logs"
        self.add(host, "nova-compute", second, "ERROR", failed, REQUEST, SERVER)
        self.add("controller1", "neutron-server", second - 2, "ERROR", self.bind_failed(PORT, host), REQUEST)
        ended = f"Exceeded maximum number of retries. Exhausted all hosts for instance {SERVER}."
        self.add("controller1", "nova-conductor", 30, "WARNING", ended, REQUEST, SERVER)

    @staticmethod
    def bind_failed(port: str, host: str) -> str:
        """As neutron-server writes it."""
        return f"Failed to bind port {port} on host {host} for vnic_type normal using segments {SEGMENTS}"

    @staticmethod
    def dead_agent(port: str) -> str:
        """As neutron-server writes it."""
        return f"Refusing to bind port {port} to dead agent: {{'binary': 'neutron-openvswitch-agent'}}"

    @staticmethod
    def no_bridge() -> str:
        """As the agent writes it, at its end."""
        return "Bridge br-ex for physical network default does not exist. Agent terminated!"


def made_up(logs: Logs) -> Site:
    """The hosts as a site without a cloud."""
    hosts = {name: HostSettings(name, root=str(logs.folder / name)) for name in logs.hosts}
    return Site(SiteSettings("made-up", "packstack", hosts=hosts), new_run("trace", "made-up", logs.folder))


def traced(logs: Logs, given: str = SERVER) -> Diagnosis:
    """The diagnosis from the logs alone."""
    return diagnose(made_up(logs), given, ask=False)
