"""The wheel, installed alone in an empty environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, cwd: Path | None = None) -> str:
    """Run a command; its output. The repository is not on its path."""
    done = subprocess.run([*map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=600, check=False, env=CLEAN)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


CLEAN = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the wheel and what it asks for, nothing else; its bin folder."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = folder / "environment"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert uv, "make env installs uv; run the tests through make"
    run(uv, "build", "--wheel", "--out-dir", folder, ROOT)
    run(uv, "venv", "--python", sys.executable, environment)
    run(uv, "pip", "install", "--python", environment / "bin/python", *folder.glob("*.whl"))
    return environment / "bin"


def test_the_wheel_works_alone(installed: Path, tmp_path: Path) -> None:
    """It lists its runbooks, makes a workspace from the ones it ships, and shows one; the sandbox's lock file is in it."""
    command = installed / "stackbook"
    listed = [line.split()[0] for line in run(command, "list", cwd=tmp_path).splitlines() if line.strip()]
    assert set(listed) == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    run(command, "init", tmp_path / "cloud")
    assert {path.name for path in (tmp_path / "cloud/notebooks").glob("*.ipynb")} == {
        path.name for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert "VLAN id" in run(command, "show", "provider-vlan", cwd=tmp_path / "cloud")
    shipped = run(
        installed / "python",
        "-c",
        "import stackbook.sandbox.recipe as r; print(r.REAL.lock.exists(), r.REAL.seeds)",
        cwd=tmp_path,
    )
    assert shipped.split() == ["True", "True"]
