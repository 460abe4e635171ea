"""A workspace with the tests' own runbooks, on a site without a cloud."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stackbook.journal import RUN_VARIABLE
from tests.fakes import STORE

NOTEBOOKS = Path(__file__).parent / "notebooks"
ROOT = Path(__file__).parents[2]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace, which is the current folder; kernels find the tests' resource kind."""
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    (tmp_path / "stackbook.toml").write_text('[sites.test]\nlayout = "debian"\ncloud = "none"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(STORE, str(tmp_path / "things.json"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def things(books: Path) -> Callable[[], dict[str, Any]]:
    """Reads the things that runs have made."""

    def read() -> dict[str, Any]:
        path = Path(os.environ[STORE])
        return dict(json.loads(path.read_text())) if path.exists() else {}

    return read


@pytest.fixture
def stackbook(books: Path) -> Command:
    """Runs the command line as a process of its own."""

    def command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "stackbook", *words], capture_output=True, text=True, check=False, **options)

    return command
