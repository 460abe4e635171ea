"""Runs the command as a person does, in a workspace of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def stackbook(sandbox: Path, workspace: Path) -> Command:
    """Runs ``stackbook WORDS --json``; returns its exit code and what it printed, parsed."""

    def run(*words: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "stackbook", *words, "--json"]
        done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run
