"""The four runbooks, walked by the command: plan, refuse, apply, verify, empty plan, undo, start state."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from . import bundles
from .bundles import MIB
from .conftest import orphans

pytestmark = pytest.mark.usefixtures("networks")
DONE, AWAITS_APPROVAL, BAD_INPUT = 0, 2, 3
Command = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def command(workspace: Path) -> Command:
    """Runs ``stackbook WORDS --json``; returns its exit code and what it printed, parsed."""

    def run(*words: str, **values: str) -> tuple[int, dict[str, Any]]:
        given = [word for name, value in values.items() for word in ("-p", f"{name}={value}")]
        line = [sys.executable, "-m", "stackbook", *words, *given, "--json"]
        done = subprocess.run(line, cwd=workspace, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def walk(command: Command, name: str, /, **values: str) -> str:
    """A runbook forwards; the run that applied it."""
    code, planned = command("run", name, **values)
    assert (code, planned["status"], planned["done"]) == (AWAITS_APPROVAL, "planned", 0), planned["error"]
    code, refused = command("run", name, "--approve", "p-00000000", **values)
    assert (code, refused["status"], refused["digest"]) == (AWAITS_APPROVAL, "planned", planned["digest"]), refused["error"]
    code, applied = command("run", name, "--approve", planned["digest"], **values)
    assert (code, applied["status"], applied["done"]) == (DONE, "applied", len(planned["changes"])), applied["error"]
    code, again = command("run", name, **values)
    assert (code, again["status"], again["changes"]) == (DONE, "unchanged", []), again["error"]
    return str(applied["run"])


def undo(command: Command, run: str) -> None:
    """A run taken back."""
    code, undone = command("undo", run, "--yes")
    assert (code, undone["status"]) == (DONE, "undone"), undone["error"]


def test_migrate_vm(command: Command, cloud: Any, tmp_path: Path) -> None:
    """One machine: moved, proved, idempotent, taken back."""
    made, before = bundles.ova(tmp_path, "web", (10 * MIB, 4 * MIB)), orphans(cloud)
    run = walk(command, "migrate-vm", bundle=made.path, networks="app", ips="192.0.2.30", options="flavor=new")
    assert cloud.compute.find_server("web").status == "ACTIVE"
    undo(command, run)
    assert orphans(cloud) == before


def test_migrate_vm_stops(command: Command, tmp_path: Path) -> None:
    """A machine whose address is not told, and a bundle that is cut short: nothing is made, and the reason is told."""
    made = bundles.ova(tmp_path, "web", (4 * MIB,))
    _, stopped = command("run", "migrate-vm", "--yes", bundle=made.path, networks="app")
    assert (stopped["status"], stopped["done"]) != ("applied", 1)
    assert "address is not told" in json.dumps(stopped["error"])
    with open(made.path, "r+b") as stream:
        stream.truncate(100_000)
    code, refused = command("run", "migrate-vm", "--yes", bundle=made.path, networks="app")
    assert code == BAD_INPUT
    assert "cut short" in json.dumps(refused["error"])


def test_migrate_wave(command: Command, cloud: Any, tmp_path: Path) -> None:
    """Two machines of a CSV: moved together, idempotent, taken back."""
    before = orphans(cloud)
    for number in (1, 2):
        bundles.ova(tmp_path, f"vm{number}", (4 * MIB,), macs=(f"00:50:56:20:00:0{number}",))
    (tmp_path / "wave.csv").write_text("bundle;ips\nvm1.ova;192.0.2.41\nvm2.ova;192.0.2.42\n")
    run = walk(command, "migrate-wave", machines="wave.csv", networks="app")
    undo(command, run)
    assert orphans(cloud) == before


def test_image_import_and_export(command: Command, cloud: Any, tmp_path: Path) -> None:
    """A flat VMDK goes into glance and comes back; a volume of it, too; all of it is taken back."""
    before = orphans(cloud)
    source = bundles.raw(tmp_path / "s.raw", 8 * MIB)
    bundles.vmdk(source, tmp_path / "flat.vmdk", "monolithicFlat")
    imported = walk(command, "image-import", file="flat.vmdk", name="flat", properties="hw_disk_bus=scsi")
    image = cloud.image.find_image("flat")
    assert (image.disk_format, image.min_disk, image.hw_disk_bus) == ("qcow2", 1, "scsi")
    exported = walk(command, "image-export", path=str(tmp_path / "back.qcow2"), image="flat")
    equal(tmp_path / "back.qcow2", "qcow2", source)
    subprocess.run(["sha512sum", "-c", "--quiet", "back.qcow2.sha512"], cwd=tmp_path, check=True)
    volume = cloud.block_storage.create_volume(name="of-flat", size=1, image_id=image.id)
    cloud.block_storage.wait_for_status(volume, "available", wait=120)
    code, written = command("run", "image-export", "--yes", path=str(tmp_path / "back.raw"), volume="of-flat")
    assert (code, written["status"]) == (DONE, "applied"), written["error"]
    equal(tmp_path / "back.raw", "raw", source)
    cloud.block_storage.delete_volume(volume)
    cloud.block_storage.wait_for_delete(volume, wait=120)
    for run in (written["run"], exported, imported):
        undo(command, run)
    assert orphans(cloud) == before
    assert not list(tmp_path.glob("back*"))


def equal(path: Path, format: str, source: str) -> None:
    """Refuse a file that does not hold the source."""
    subprocess.run(["qemu-img", "compare", "-q", "-f", format, "-F", "raw", str(path), source], check=True)
