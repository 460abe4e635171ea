"""Makes the sample reports in docs/samples, and the pictures of the README: ``make samples``.

Each is a real run against a fresh sandbox: what a newcomer sees there is what stackbook does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.migration import bundles

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "docs" / "samples"
SANDBOX = "samples"
SITE = f'[sites.sandbox]\nlayout = "sandbox"\nsandbox = "{SANDBOX}"\n'
DONE, FAILED, APPROVAL = 0, 1, 2
MIB = 1 << 20
HOME = "/home/operator"
"""Stands in the pages for the home of whoever makes them, and for what lies elsewhere on their machine."""
SCROLLED_MS = 2000
"""Until a page stands still: it scrolls smoothly."""
PICTURE = {"width": 1180, "height": 940}


class Workspace:
    """A folder in which the commands run, as an operator whose name tells nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "stackbook.toml").write_text(SITE)
        self._environment = {**os.environ, "LOGNAME": "operator"}

    def __call__(self, *words: str, code: int = DONE) -> dict[str, Any]:
        """What a command of stackbook tells in JSON; anything but the exit code expected ends it all."""
        print("$ stackbook", *words, flush=True)
        command = [sys.executable, "-m", "stackbook", *words, "--json"]
        ended = subprocess.run(command, cwd=self.folder, env=self._environment, stdout=subprocess.PIPE, text=True, check=False)
        if ended.returncode != code:
            sys.exit(f"ended with {ended.returncode}, not {code}:\n{ended.stdout}")
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def sample(self, name: str, *words: str, code: int = DONE) -> dict[str, Any]:
        """Run a command, and keep the report of its run as sample `name`."""
        found = self(*words, code=code)
        page = Path(found["report"]).read_text()
        for place, stands_for in {self.folder: "my-cloud", ROOT: "stackbook", Path.home(): ""}.items():
            page = page.replace(str(place), f"{HOME}/{stands_for}".rstrip("/"))
        (SAMPLES / f"{name}.html").write_text(page)
        return found


def story(stackbook: Workspace) -> None:
    """From a fresh Packstack to the first server; a failure and its cause; a machine out of VMware, and back."""
    first = ("run", "first-server")
    plan = stackbook.sample("first-server-plan", *first, code=APPROVAL)
    stackbook.sample("first-server", *first, "--approve", plan["digest"])
    stackbook.sample("inventory", "run", "inventory")
    stackbook.sample("host-survey", "run", "host-survey")
    moved(stackbook)
    stackbook("sandbox", "break", "mapping-missing", "--name", SANDBOX)
    wanted = ("run", "fixed-ip", "-p", "network=vlan204", "-p", "ip=192.0.2.70", "-p", "name=second-port", "--yes")
    stackbook(*wanted)
    stackbook("run", "server-from-volume", "-p", "name=second", "-p", "port=second-port", "--yes", code=FAILED)
    stackbook.sample("troubleshoot", "run", "troubleshoot", "-p", "subject=second")
    stackbook.sample("health", "run", "health")
    stackbook("sandbox", "heal", "--name", SANDBOX)


def moved(stackbook: Workspace) -> None:
    """A machine of two disks, moved and taken back."""
    made = bundles.ova(stackbook.folder, "intranet", (48 * MIB, 20 * MIB))
    values = {"bundle": made.path, "networks": "vlan204", "ips": "192.0.2.60", "options": "flavor=new"}
    words = ["run", "migrate-vm", *(word for name, value in values.items() for word in ("-p", f"{name}={value}"))]
    plan = stackbook.sample("migrate-vm-plan", *words, code=APPROVAL)
    run = stackbook.sample("migrate-vm", *words, "--approve", plan["digest"])
    undoing = stackbook("undo", run["run"], code=APPROVAL)
    stackbook.sample("undo", "undo", run["run"], "--approve", undoing["digest"])


def pictures() -> None:
    """A plan as a report shows it, light and dark, for the README."""
    plan = SAMPLES / "first-server-plan.html"
    anchor = re.findall(r'id="(s-\d+-plan)"', plan.read_text())[0]
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=PICTURE, color_scheme=scheme)  # type: ignore[arg-type]
            page.goto(f"{plan.as_uri()}#{anchor}")
            page.wait_for_timeout(SCROLLED_MS)
            page.screenshot(path=SAMPLES / f"plan-{scheme}.png")
        browser.close()


def main() -> None:
    """Make all of them anew."""
    SAMPLES.mkdir(exist_ok=True)
    sandbox = [sys.executable, "-m", "stackbook", "sandbox"]
    subprocess.run([*sandbox, "reset", "--name", SANDBOX], check=False)
    subprocess.run([*sandbox, "up", "--name", SANDBOX], check=True)
    try:
        with tempfile.TemporaryDirectory(prefix="samples-") as folder:
            story(Workspace(Path(folder)))
    finally:
        subprocess.run([*sandbox, "reset", "--name", SANDBOX], check=False)
    pictures()


if __name__ == "__main__":
    main()
