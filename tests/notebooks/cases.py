"""Parameters with which the tests try each runbook; they agree with the notebooks' defaults where nbval needs it."""

from __future__ import annotations

NOW = "NOW"
"""Stands for the moment at which the walk begins."""
CASES: dict[str, dict[str, str]] = {
    "cinder-lvm": {},
    "provider-vlan": {"mapping": "default:br-ex:eno2"},
    "project-setup": {},
    "project-quotas": {"project": "team-a", "quotas": '{"ports": 137, "secgroups": 12}'},
    "fixed-ip": {"mac": "52:54:00:12:34:56"},
    "server-from-volume": {},
    "service-restart": {"service": "neutron-dhcp-agent", "before": NOW},
}
"""In an order in which each finds what it needs; undone in the reverse order."""
NOTHING_TO_UNDO = ("service-restart",)
"""What they did has no opposite: their undo is an empty plan."""
WITH_FILES = ("image-export", "image-import", "migrate-vm", "migrate-wave", "packstack-answers")
"""They need files that are made first: tests/migration and tests/packstack walk them."""
READ_ONLY = ("inventory", "troubleshoot", "health", "host-survey")
