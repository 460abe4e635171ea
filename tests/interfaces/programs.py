"""The programs that read network configuration, unpacked but not installed (scripts/unpack-packages.sh)."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNPACKED = Path(os.environ.get("STACKBOOK_UNPACKED", ROOT / ".unpacked"))
PLACES = {"nmcli": "usr/bin/nmcli", "netplan": "usr/libexec/netplan/generate", "ifquery": "sbin/ifquery"}


def call(name: str, *words: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run one of `PLACES`; what it answers, whatever its exit code."""
    path = UNPACKED / PLACES[name]
    if not path.exists():
        pytest.fail(f"{name} is missing: run `make system`")
    libraries = [*UNPACKED.glob("usr/lib/*-linux-gnu"), *UNPACKED.glob("lib/*-linux-gnu")]
    env = {**os.environ, "LC_ALL": "C", "LD_LIBRARY_PATH": ":".join(map(str, libraries))}
    return subprocess.run([path, *words], input=text, env=env, capture_output=True, text=True, timeout=30, check=False)


def shell(text: str, *names: str) -> list[str]:
    """What a shell that sources `text`, as network-scripts do, has in these variables."""
    told = "".join(f'printf "%s\\n" "${name}"\n' for name in names)
    done = subprocess.run(["sh", "-eu"], input=f"{text}\n{told}", capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
