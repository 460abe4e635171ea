"""JupyterLab as a person uses it: a notebook opened, its cells run one by one, a parameter changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

START, CELL = 120.0, 120_000
"""Seconds for the server, milliseconds for a cell: both for a machine that is busy with other things."""
ASKS_AGAIN = 8_000
"""Milliseconds until a key press that JupyterLab did not take is repeated."""
CELLS = ".jp-Notebook .jp-Cell"


@dataclass
class Server:
    """JupyterLab, started by ``stackbook jupyter``; its token is read from its own private file."""

    workspace: Path
    process: subprocess.Popen[bytes]
    url: str
    token: str

    def kernels(self) -> list[tuple[str, Path]]:
        """Interpreter and working directory of each process that the server started."""
        of = Path("/proc") / str(self.process.pid) / "task"
        children = {child for task in of.glob("*/children") for child in task.read_text().split()}
        found = [(Path("/proc") / child / "cmdline", Path("/proc") / child / "cwd") for child in children]
        return [(line.read_bytes().split(b"\0")[0].decode(), cwd.resolve()) for line, cwd in found if line.exists()]


def serve(workspace: Path, *more: str) -> Server:
    """Start JupyterLab on a workspace, with settings of its own, on a free port."""
    own = workspace / ".jupyter"
    folders = {f"JUPYTER_{name}_DIR": str(own / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    folders |= {f"JUPYTERLAB_{name}_DIR": str(own / name) for name in ("SETTINGS", "WORKSPACES")}
    root = ["--allow-root"] if os.geteuid() == 0 else []
    words = [sys.executable, "-m", "stackbook", "jupyter", "--", "--no-browser", "--ServerApp.port=0", *root, *more]
    own.mkdir()
    with (own / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=workspace, env={**os.environ, **folders}, stdout=log, stderr=log)
    listening, until = own / "RUNTIME" / f"jpserver-{process.pid}.json", time.monotonic() + START
    while not (listening.is_file() and listening.read_text().endswith("}")):
        if process.poll() is not None or time.monotonic() > until:
            process.kill()
            pytest.fail(f"JupyterLab did not start:\n{(own / 'log').read_text()}")
        time.sleep(0.1)
    told = json.loads(listening.read_text())
    return Server(workspace, process, told["url"], told["token"])


class Notebook:
    """A runbook open in JupyterLab."""

    def __init__(self, page: Page, server: Server, name: str) -> None:
        self.page = page
        page.set_default_timeout(CELL)
        page.goto(f"{server.url}lab/tree/notebooks/{name}.ipynb?token={server.token}")
        page.locator(".jp-StatusBar-Widget").get_by_text("| Idle").wait_for()

    def cell(self, source: str) -> Locator:
        """The code cell that holds `source`."""
        return self.page.locator(f"{CELLS}.jp-CodeCell").filter(has=self.page.locator(".jp-InputArea", has_text=source))

    def run(self, source: str) -> Locator:
        """Run the code cell that holds `source`; returns its output when it is done."""
        cell = self.cell(source)
        cell.scroll_into_view_if_needed()
        prompt = cell.locator(".jp-InputPrompt")
        before = prompt.inner_text()
        for _ in range(5):
            prompt.click()
            self.page.keyboard.press("Escape")
            self.page.keyboard.press("Control+Enter")
            if self._changed(prompt, before):
                break
        done = cell.locator(".jp-InputPrompt").filter(has_text=re.compile(r"\[\d+\]"))
        done.wait_for(timeout=CELL)
        return cell.locator(".jp-OutputArea").first

    def change(self, name: str, line: str) -> None:
        """Type `line` in place of the line that declares the parameter `name`."""
        found = self.cell("site: str").locator(".cm-line", has_text=re.compile(rf"^{name}:"))
        found.click()
        for key in ("Home", "Shift+End"):
            self.page.keyboard.press(key)
        self.page.keyboard.insert_text(line)

    def _changed(self, prompt: Locator, before: str) -> bool:
        """Whether the prompt shows that the cell was taken: not before the kernel is connected."""
        from playwright.sync_api import TimeoutError as Waited

        try:
            handle = prompt.element_handle()
            self.page.wait_for_function("([e, was]) => e.innerText !== was", arg=[handle, before], timeout=ASKS_AGAIN)
        except Waited:
            return False
        return True
