"""Parameters with which the tests try each runbook that changes something."""

from __future__ import annotations

CASES: dict[str, dict[str, str]] = {
    "provider-vlan": {"vlan": "204", "cidr": "192.0.2.0/24"},
    "project-setup": {"project": "team-a", "users": '["alice:member", "bob:admin"]', "vcpus": "20", "disk_gib": "1000"},
    "fixed-ip": {"network": "vlan204", "ip": "192.0.2.50", "mac": "52:54:00:12:34:56", "name": "web-port"},
    "server-from-volume": {"name": "web", "port": "web-port"},
}
"""In an order in which each finds what it needs; undone in the reverse order."""
