"""Our runner against plain papermill on one trivial notebook, side by side: python -m benchmarks.runner.

Each pair runs one right after the other, in turns, so that both see the same machine; the table has every pair's ratio.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

PAIRS = 7
MOST = 0.7
"""Of plain papermill's time that a trivial headless run may take."""
HELP_CPU = 0.3
"""Seconds of CPU that ``stackbook --help`` may take."""
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Trivial\n\nAdds one."},
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "b",
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "source": "x: int = 1",
        },
        {"cell_type": "code", "execution_count": None, "id": "c", "metadata": {}, "outputs": [], "source": "x + 1"},
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
PAPERMILL = ["-m", "papermill", "--no-progress-bar", "trivial.ipynb", "out.ipynb", "-p", "x", "2"]
OURS = ["-m", "stackbook", "run", "./trivial.ipynb", "-p", "x=2"]
Times = tuple[float, float]
"""Seconds on the clock, seconds of CPU."""


def main() -> int:
    """Print the table; exit code 1 when a budget is exceeded."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "trivial.ipynb").write_text(json.dumps(NOTEBOOK))
        for words in (PAPERMILL, OURS):  # warm: files in memory, bytecode compiled
            timed(words, place)
        pairs = [(timed(PAPERMILL, place), timed(OURS, place)) for _ in range(PAIRS)]
        helped = min(timed(["-m", "stackbook", "--help"], place)[1] for _ in range(3))
    print(table(pairs))
    ratios = [ours[0] / papermill[0] for papermill, ours in pairs]
    print(f"\nmedian ratio {statistics.median(ratios):.2f} (budget {MOST})")
    print(f"stackbook --help takes {helped:.2f} s of CPU (budget {HELP_CPU})")
    return int(statistics.median(ratios) > MOST or helped > HELP_CPU)


def timed(words: Sequence[str], place: str) -> Times:
    """Run the interpreter with `words` in `place`."""
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))}
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=place, env=environment, capture_output=True, check=True)
    seconds, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def table(pairs: Sequence[tuple[Times, Times]]) -> str:
    """A row per pair: seconds and CPU of both, and the ratios."""
    lines = ["pair  papermill s  ours s  ratio   papermill CPU s  ours CPU s  ratio"]
    for number, ((wall, cpu), (our_wall, our_cpu)) in enumerate(pairs, 1):
        clock = f"{wall:11.2f}  {our_wall:6.2f}  {our_wall / wall:5.2f}"
        lines.append(f"{number:4}  {clock}   {cpu:15.2f}  {our_cpu:10.2f}  {our_cpu / cpu:5.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
