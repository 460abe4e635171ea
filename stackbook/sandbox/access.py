"""What a client needs to use a sandbox: variables, a clouds.yaml entry."""

from __future__ import annotations

import json
from pathlib import Path

from stackbook.sandbox import places, settings

REGION = "RegionOne"


def cloud(name: str = "default") -> str:
    """The name of the sandbox's entry in clouds.yaml: ``sandbox``, or ``sandbox-<name>`` for one that has a name."""
    return "sandbox" if name == "default" else f"sandbox-{name}"


def environment(name: str = "default") -> dict[str, str]:
    """The ``OS_*`` variables with which any OpenStack client uses the sandbox `name` as its administrator."""
    found = settings.load(places.existing(name))
    return {
        "OS_AUTH_TYPE": "password",
        "OS_AUTH_URL": _auth_url(found),
        "OS_USERNAME": "admin",
        "OS_PASSWORD": found["admin_password"],
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": REGION,
        "OS_INTERFACE": "public",
        "OS_IDENTITY_API_VERSION": "3",
    }


def clouds_yaml(name: str = "default") -> str:
    """A clouds.yaml with one entry, `cloud(name)`: the administrator of the sandbox `name`."""
    return _entry(cloud(name), settings.load(places.existing(name)))


def write(home: Path) -> Path:
    """Write ``clouds.yaml`` (private) into the sandbox at `home`; its path."""
    path = home / "clouds.yaml"
    settings.write_private(path, _entry(cloud(home.name), settings.load(home)))
    return path


def _auth_url(found: settings.Settings) -> str:
    return f"http://127.0.0.1:{found['ports'].get('keystone', 0)}/v3"


def _entry(cloud: str, found: settings.Settings) -> str:
    # JSON strings are YAML strings: no password can end its own quotes
    return f"""\
clouds:
  {cloud}:
    auth:
      auth_url: {json.dumps(_auth_url(found))}
      username: admin
      password: {json.dumps(found["admin_password"])}
      project_name: admin
      user_domain_name: Default
      project_domain_name: Default
    region_name: {REGION}
    interface: public
    identity_api_version: "3"
"""
