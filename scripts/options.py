"""``python scripts/options.py [PYTHON]``: what the services know of their options, for stackbook/options/known.json.gz.

PYTHON is the interpreter of an environment in which the services are installed: the sandbox's by default, which is made
where it is missing. To be run again when the sandbox's services change; a test compares their versions.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "stackbook" / "options" / "known.json.gz"
COMMON = (
    "oslo.cache",
    "oslo.concurrency",
    "oslo.db",
    "oslo.limit",
    "oslo.log",
    "oslo.messaging",
    "oslo.middleware",
    "oslo.policy",
    "oslo.privsep",
    "oslo.reports",
    "oslo.service.periodic_task",
    "oslo.service.service",
    "oslo.service.sslutils",
    "oslo.service.wsgi",
    "oslo.versionedobjects",
    "osprofiler",
    "keystonemiddleware.audit",
    "keystonemiddleware.auth_token",
    "castellan.config",
    "cotyledon",
)
OWN = {
    "cinder": ("cinder", "os_brick"),
    "glance": ("glance",),
    "keystone": ("keystone",),
    "neutron": ("neutron", "designate.auth", "ironic.auth", "nova.auth", "placement.auth", "os_vif"),
    "nova": ("nova", "os_brick", "os_vif", "manilaclient"),
    "placement": ("placement.conf",),
}
"""Namespaces of each project's own; a name stands for those that begin with it and a dot, too."""
INSIDE = Path(__file__).parent / "options_inside.py"
TYPES = {
    "boolean value": "b",
    "integer value": "i",
    "floating point value": "f",
    "port value": "p",
    "list value": "l",
    "dict value": "d",
    "multi valued": "m",
}
"""Types whose values are checked, by a letter; every other one is text, ``s``."""


def known(python: str, project: str) -> dict[str, Any]:
    """What `project` knows: each option's type by section, what old names became, what will go; in a short form."""
    command = [python, "-W", "ignore", str(INSIDE), "json", *OWN[project], *COMMON]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    data = json.loads(told.rpartition("\n=====\n")[2])
    return {
        "version": version(python, project),
        "options": {name: _options(group["opts"], data["processors"]) for name, group in sorted(data["options"].items())},
        "renamed": {group: _renamed(group, old) for group, old in sorted(data["deprecated_options"].items())},
        "going": {name: going for name, group in sorted(data["options"].items()) if (going := _going(group["opts"]))},
        "auth": sorted({_key(name) for name in data["auth"]}),
        "namespaces": data["namespaces"],
    }


def version(python: str, project: str) -> str:
    """The installed version of a project."""
    package = "openstack-placement" if project == "placement" else project
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


def _options(listed: list[dict[str, Any]], processors: int) -> dict[str, Any]:
    return {_key(option["dest"]): _type(option, processors) for option in sorted(listed, key=lambda one: str(one["dest"]))}


def _type(option: dict[str, Any], processors: int) -> Any:
    """The type's letter; with bounds, or with what may be chosen, where the service checks them."""
    letter = TYPES.get(option["type"], "s")
    if option["choices"] and letter == "s":
        return [str(choice) for choice, _ in option["choices"] if choice is not None]
    bounds = [None if option[end] == processors else option[end] for end in ("min", "max")]
    if letter in "if" and bounds != [None, None]:
        return [letter, *bounds]
    return letter


def _renamed(group: str, listed: list[dict[str, str]]) -> dict[str, list[str]]:
    found = {_key(old["name"]): [old["replacement_group"], _key(old["replacement_name"])] for old in listed}
    return {name: new for name, new in sorted(found.items()) if new != [group, name]}


def _going(listed: list[dict[str, Any]]) -> dict[str, str]:
    return {_key(option["dest"]): _reason(option) for option in listed if option["deprecated_for_removal"]}


def _reason(option: dict[str, Any]) -> str:
    return " ".join(str(option["deprecated_reason"] or "").split())[:200]


def _key(name: str) -> str:
    return name.replace("-", "_")


def main() -> None:
    """Write the file."""
    python = sys.argv[1] if len(sys.argv) > 1 else _sandbox()
    found = {project: known(python, project) for project in OWN}
    text = json.dumps(found, separators=(",", ":"), sort_keys=True).encode()
    TARGET.write_bytes(gzip.compress(text, mtime=0))
    for project, told in found.items():
        print(
            f"{project} {told['version']}: {sum(map(len, told['options'].values()))} options in {len(told['options'])} sections"
        )
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size:,} bytes")


def _sandbox() -> str:
    from stackbook.sandbox import installation
    from stackbook.sandbox.recipe import REAL

    return str(installation.ensure(REAL, print))


if __name__ == "__main__":
    main()
