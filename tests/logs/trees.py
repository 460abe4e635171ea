"""Hosts that are folders with logs, the agent without a process of its own, and grep as its judge."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stackbook.config import HostSettings
from stackbook.hosts import LocalHost
from stackbook.logs import Limits
from stackbook.logs.agent import Agent

SERVER = "7f6a1c00-8e1e-4c42-a0a7-0b6a7d1f4c11"
REQUEST = "req-e047e5fc-b218-416c-95c7-6f3f809cb750"
LOG = "var/log/nova/nova-compute.log"


def host(root: Path, name: str = "compute1") -> LocalHost:
    """A host whose ``/`` is `root`."""
    return LocalHost(HostSettings(name, root=str(root)))


def put(root: Path, content: bytes, path: str = LOG) -> Path:
    """Write a log, compressed if it is named so."""
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(gzip.compress(content, 1) if path.endswith(".gz") else content)
    return place


def agent(root: Path, ids: list[str], engine: str = "", *, limits: Limits | None = None, **more: Any) -> list[dict[str, Any]]:
    """What the agent answers, run in this process."""
    request = {"root": str(root), "ids": ids, "engine": engine, "limits": asdict(limits or Limits()), **more}
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        Agent(request).run()
    return [json.loads(line) for line in told.getvalue().splitlines()]


def hits(answer: list[dict[str, Any]]) -> set[tuple[str, int]]:
    """File and offset of each line that the agent says holds an id."""
    return {(line["f"], offset) for line in answer if line["k"] == "r" for offset in line["h"]}


def judged(root: Path, ids: list[str]) -> set[tuple[str, int]]:
    """The same by ``grep -aF``."""
    found: set[tuple[str, int]] = set()
    for path in (root / "var/log").rglob("*.*"):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        command = ["grep", "-abF", *(part for name in ids for part in ("-e", name))]
        said = subprocess.run(
            command, input=content, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"}, check=False
        ).stdout
        found |= {(f"/{path.relative_to(root)}", int(line.partition(b":")[0])) for line in said.split(b"\n") if line}
    return found
