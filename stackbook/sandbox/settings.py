"""A sandbox's ``sandbox.json``: name, version, ports, passwords, hosts."""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackbook.sandbox.recipe import Recipe

Settings = dict[str, Any]


def fresh(name: str, recipe: Recipe, ports: Mapping[str, int]) -> Settings:
    """Settings of a new sandbox, with passwords of its own."""
    return {
        "name": name,
        "version": recipe.version,
        "created": time.time(),
        "ports": dict(ports),
        "admin_password": secrets.token_hex(12),
        "service_password": secrets.token_hex(12),
        "hosts": list(recipe.hosts),
    }


def load(home: Path) -> Settings:
    """The settings of the sandbox at `home`; raises OSError when there are none."""
    found: Settings = json.loads((home / "sandbox.json").read_text())
    return found


def save(home: Path, settings: Settings) -> None:
    """Write the settings, private and whole: a reader sees the old or the new ones, also after a crash."""
    write_private(home / "sandbox.json", json.dumps(settings, indent=2) + "\n")


def write_private(path: Path, text: str, mode: int = 0o600) -> None:
    """Put `text` at `path` in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(draft, mode)
    os.replace(draft, path)
