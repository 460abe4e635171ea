"""OpenStack's services by name: what they are called, and which files they read, in each layout of a site.

Sources: RDO's and Debian's unit files, DevStack's ``lib/``, kolla-ansible's roles. Where a layout lists several units, a
host has one of them: an API may have a unit of its own or live inside the web server, which may be there for others: its
own comes first. The order is the one in which
services are restarted: those that others ask come first.
"""

from __future__ import annotations

from dataclasses import dataclass

CONTAINERS = "kolla"
"""The layout whose services are containers."""


@dataclass(frozen=True)
class Known:
    """One service, by the name that its own project gives it."""

    name: str
    packstack: str
    """Units of RDO's packages, the likelier first."""
    debian: str
    devstack: str
    """Units, without DevStack's prefix ``devstack@``."""
    files: str
    """What it reads at its start, below ``/etc/<module>/``."""

    @property
    def module(self) -> str:
        """The project that it belongs to."""
        return self.name.partition("-")[0]

    def units(self, layout: str) -> tuple[str, ...]:
        """Its units, or its container, in `layout`; none where that has no such service."""
        if layout == CONTAINERS:
            return (self.name.replace("-", "_"),)
        if layout == "devstack":
            return tuple(f"devstack@{unit}" for unit in self.devstack.split())
        if layout in ("packstack", "debian"):
            return tuple(str(getattr(self, layout)).split())
        return (self.name,)

    def config(self, layout: str) -> tuple[str, ...]:
        """The configuration files that it reads at its start, as paths on its host."""
        if layout == CONTAINERS:
            return tuple(f"/etc/kolla/{self.name}/{file.rpartition('/')[2]}" for file in self.files.split())
        own = "nova-cpu.conf" if (layout, self.name) == ("devstack", "nova-compute") else self.files
        return tuple(f"/etc/{self.module}/{file}" for file in own.split())

    def look(self, layout: str) -> str:
        """What to type on its host to see how it is."""
        unit = next(iter(self.units(layout)), self.name)
        return f"docker ps --all --filter name={unit}" if layout == CONTAINERS else f"systemctl status {unit}"

    def log(self, layout: str, unit: str = "") -> str:
        """Where it logs, when its unit is `unit`: a path on its host, or what to type where that is the journal."""
        if layout == "devstack":
            return f"journalctl -u {unit or self.units(layout)[0]}"
        short = layout == "packstack" and self.module in ("cinder", "glance", "neutron")
        name = self.name.removeprefix(f"{self.module}-") if short else self.name
        name = unit if layout == "debian" and unit.startswith(f"{self.module}-") else name
        return f"/var/log/{'kolla/' if layout == CONTAINERS else ''}{self.module}/{name}.log"


_ML2 = "neutron.conf plugins/ml2/ml2_conf.ini"
SERVICES = (
    Known("keystone", "httpd", "keystone apache2", "keystone", "keystone.conf"),
    Known("glance-api", "openstack-glance-api httpd", "glance-api apache2", "g-api", "glance-api.conf"),
    Known("placement-api", "httpd", "placement-api apache2", "placement-api", "placement.conf"),
    Known("neutron-server", "neutron-server", "neutron-server neutron-api", "q-svc neutron-api", _ML2),
    Known("neutron-rpc-server", "neutron-rpc-server", "neutron-rpc-server", "neutron-rpc-server", _ML2),
    Known(
        "neutron-openvswitch-agent",
        "neutron-openvswitch-agent",
        "neutron-openvswitch-agent",
        "q-agt neutron-agent",
        "neutron.conf plugins/ml2/openvswitch_agent.ini",
    ),
    Known(
        "neutron-ovn-metadata-agent",
        "neutron-ovn-metadata-agent",
        "neutron-ovn-metadata-agent",
        "q-ovn-metadata-agent",
        "neutron.conf neutron_ovn_metadata_agent.ini",
    ),
    Known("neutron-l3-agent", "neutron-l3-agent", "neutron-l3-agent", "q-l3", "neutron.conf l3_agent.ini"),
    Known("neutron-dhcp-agent", "neutron-dhcp-agent", "neutron-dhcp-agent", "q-dhcp", "neutron.conf dhcp_agent.ini"),
    Known(
        "neutron-metadata-agent", "neutron-metadata-agent", "neutron-metadata-agent", "q-meta", "neutron.conf metadata_agent.ini"
    ),
    Known("cinder-scheduler", "openstack-cinder-scheduler", "cinder-scheduler", "c-sch", "cinder.conf"),
    Known("cinder-volume", "openstack-cinder-volume", "cinder-volume", "c-vol", "cinder.conf"),
    Known("cinder-backup", "openstack-cinder-backup", "cinder-backup", "c-bak", "cinder.conf"),
    Known("cinder-api", "openstack-cinder-api httpd", "cinder-api apache2", "c-api", "cinder.conf"),
    Known("nova-super-conductor", "", "", "n-super-cond", "nova.conf"),
    Known("nova-conductor", "openstack-nova-conductor", "nova-conductor", "n-cond-cell1 n-cond", "nova.conf"),
    Known("nova-scheduler", "openstack-nova-scheduler", "nova-scheduler", "n-sch", "nova.conf"),
    Known("nova-api", "openstack-nova-api httpd", "nova-api apache2", "n-api", "nova.conf"),
    Known("nova-metadata", "openstack-nova-metadata-api", "nova-api-metadata", "n-api-meta", "nova.conf"),
    Known("nova-novncproxy", "openstack-nova-novncproxy", "nova-novncproxy", "n-novnc-cell1 n-novnc", "nova.conf"),
    Known("nova-compute", "openstack-nova-compute", "nova-compute", "n-cpu", "nova.conf"),
)
MODULES = tuple(dict.fromkeys(known.module for known in SERVICES))
_BY_NAME = {known.name: known for known in SERVICES}


def service(name: str) -> Known:
    """The service `name`; one that is not listed has the same unit everywhere, and no known files."""
    return _BY_NAME.get(name) or Known(name, name, name, name, "")
