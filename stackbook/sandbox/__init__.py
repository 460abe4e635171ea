"""A real OpenStack on loopback, as an ordinary user: keystone, placement, glance, neutron, cinder, nova.

It lives in an environment of its own, made at the first `up`; the code that runs there lies in ``inside/`` and imports
nothing from the rest of stackbook.
"""

from __future__ import annotations

from stackbook.sandbox.access import cloud, clouds_yaml, environment
from stackbook.sandbox.control import Sandbox, Service, down, logs, network, reset, restart, sandbox, status, up
from stackbook.sandbox.failure import NoSandbox, SandboxFailed
from stackbook.sandbox.places import home, names

__all__ = [
    "NoSandbox",
    "Sandbox",
    "SandboxFailed",
    "Service",
    "cloud",
    "clouds_yaml",
    "down",
    "environment",
    "home",
    "logs",
    "names",
    "network",
    "reset",
    "restart",
    "sandbox",
    "status",
    "up",
]
