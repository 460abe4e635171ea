"""The same runbook under plain papermill, and under papermill with our engine: same gate, same journal, same record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackbook.runbook import history
from stackbook.runbook.kernel import RunbookEngine
from stackbook.runbook.record import exit_code

PAPERMILL = [sys.executable, "-m", "papermill", "--no-progress-bar", "notebooks/things.ipynb", "out.ipynb"]


def papermill(*words: str) -> subprocess.CompletedProcess[str]:
    """Plain papermill on the test's runbook."""
    return subprocess.run([*PAPERMILL, *words], capture_output=True, text=True, check=False)


def test_plain_papermill_has_the_same_gate_and_journal(books: Path, things: Callable[[], dict[str, Any]]) -> None:
    """Papermill itself is refused without approval, applies with it, and both runs are in the history as they were."""
    refused = papermill("-p", "count", "2")
    assert refused.returncode == 1 and "PlanNotApproved" in refused.stderr and things() == {}
    (found,) = history.history()
    assert (found["status"], exit_code(found), found["runbook"], len(found["changes"])) == ("planned", 2, "things", 2)
    assert found["error"]["type"] == "PlanNotApproved"

    done = papermill("-p", "count", "2", "-p", "approve", found["digest"])
    assert done.returncode == 0, done.stderr
    assert set(things()) == {"thing0", "thing1"}
    applied = history.history()[0]
    assert (applied["status"], exit_code(applied), applied["done"], applied["verified"]) == ("applied", 0, 2, [])


def test_papermill_with_our_engine(books: Path, monkeypatch: Any) -> None:
    """``papermill --engine stackbook`` finds the engine and leaves a private notebook with an honest status per cell."""
    from papermill import execute_notebook
    from papermill.engines import papermill_engines

    papermill_engines.register("stackbook", RunbookEngine)
    out = books / "out.ipynb"
    execute_notebook("notebooks/free.ipynb", str(out), {"code": "print(6 * 7)"}, engine_name="stackbook", kernel_name="python3")
    cells = [cell for cell in json.loads(out.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["metadata"]["papermill"]["status"] for cell in cells] == ["completed"] * 5
    assert "42\n" in str(cells[3]["outputs"][0]["text"]) or "42" in str(cells[3]["outputs"])


def test_engine_is_found_by_name() -> None:
    """The engine is found through its entry point, whichever of the two is imported first."""
    show = "from papermill.engines import papermill_engines as engines; print(engines.get_engine('stackbook').__name__)"
    for first in ("", "import stackbook.runbook.kernel; "):
        done = subprocess.run([sys.executable, "-c", first + show], capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == ("Engine", "")
