"""A real host: the Debian guest in QEMU, resumed from its saved state, reached over SSH."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from stackbook.config import HostSettings
from stackbook.hosts import SshHost
from tests.guest import recipe

DISKS = {"vdb": ("empty", "EMPTY01", 4096), "vdc": ("used", "USED01", 64), "vdd": ("second", "SECOND01", 2048)}
"""Device: (its file, its serial, its size in MiB); ``used`` holds a file system."""
BOOT_S = 900
"""Seconds that the first start may take."""


class Guest:
    """A running guest of its own disks, thrown away at the end; `settings` is what a site says of it."""

    def __init__(self, folder: Path, tell: Callable[[str], None] = print) -> None:
        self.folder = folder
        self.image = _image(tell)
        self._tell = tell
        self.took: dict[str, float] = {}

    def __enter__(self) -> Self:
        began = time.monotonic()
        _overlays(self.image, self.folder)
        self.machine = Machine(self.folder, self.image, self.image / "state")
        self.machine.wait_for_ssh(self.host(), 60)
        self.host().run(["hwclock", "--hctosys"], check=False)
        self.host().run(["date", "-s", f"@{time.time():.3f}"])
        self.took["resumed from its saved state"] = time.monotonic() - began
        return self

    def settings(self, name: str = "guest1") -> HostSettings:
        """The guest as a host of a site."""
        return self.machine.settings(name)

    def host(self) -> SshHost:
        """The guest over SSH, on a connection of its own."""
        return SshHost(self.settings())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.machine.stop()


class Machine:
    """One QEMU process and its control socket; without KVM, which nested machines offer and then can't boot with."""

    def __init__(self, folder: Path, image: Path, state: Path | None = None) -> None:
        self.folder, self.image = folder, image
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        key = (image / "host.pub").read_text().split()[:2]
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {' '.join(key)}\n")
        self.process = subprocess.Popen(self._command(state), stdout=(folder / "console").open("w"), stderr=subprocess.STDOUT)
        self._control = _Control(folder / "qmp", self.process)
        if state:
            self._control.wait_for("paused")
            self._control.ask("cont")

    def _command(self, state: Path | None) -> list[str]:
        disks = [("root", "ROOT", "root.qcow2"), *((name, serial, f"{name}.qcow2") for name, serial, _ in DISKS.values())]
        drives = [
            part
            for name, serial, file in disks
            for part in (
                "-drive", f"file={self.folder / file},format=qcow2,if=none,id={name},cache=unsafe",
                "-device", f"virtio-blk-pci,drive={name},serial={serial}",
            )
        ]  # fmt: skip
        forward = f"user,id=management,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        return [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "768", "-smp", "2",
            "-display", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initrd"),
            "-append", "root=/dev/vda rw console=ttyS0 panic=-1",
            *drives,
            "-netdev", forward, "-device", f"virtio-net-pci,netdev=management,mac={recipe.MANAGEMENT}",
            "-netdev", "hubport,id=vlans,hubid=1", "-device", f"virtio-net-pci,netdev=vlans,mac={recipe.VLANS}",
            "-device", "virtio-rng-pci",
            "-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off",
            *(["-incoming", f"exec:cat {state}"] if state else []),
        ]  # fmt: skip

    def settings(self, name: str) -> HostSettings:
        """The machine as a host of a site."""
        return HostSettings(
            name, "127.0.0.1", ("controller", "storage", "compute"), "root", self.port,
            str(self.image / "user"), known_hosts=str(self.folder / "known"),
        )  # fmt: skip

    def wait_for_ssh(self, host: SshHost, seconds: float) -> None:
        """Return when a command runs in it."""
        until = time.monotonic() + seconds
        while True:
            try:
                host.run(["true"])
                return
            except Exception as error:
                if time.monotonic() > until or self.process.poll() is not None:
                    console = (self.folder / "console").read_text(errors="replace")[-3000:]
                    raise RuntimeError(f"the guest does not answer: {error}\n{console}") from None
                time.sleep(0.3)

    def save(self, path: Path) -> None:
        """Stop it and write its state."""
        self._control.ask("stop")
        self._control.ask("migrate", uri=f"exec:cat > {path}.part")
        while (status := self._control.ask("query-migrate").get("status")) not in ("completed", "failed"):
            time.sleep(0.2)
        if status == "failed":
            raise RuntimeError("the guest's state could not be saved")
        os.replace(f"{path}.part", path)

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


class _Control:
    """QEMU's control socket."""

    def __init__(self, path: Path, process: subprocess.Popen[bytes]) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        for _ in range(100):
            with suppress(OSError):
                self._socket.connect(str(path))
                break
            time.sleep(0.1)
            if process.poll() is not None:
                raise RuntimeError((path.parent / "console").read_text(errors="replace"))
        self._stream = self._socket.makefile("rw")
        self._stream.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """What QEMU answers to `command`."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        while "event" in (answer := json.loads(self._stream.readline())):
            pass
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def wait_for(self, status: str) -> None:
        """Return when the machine has `status`: a state that is still being read may not be continued."""
        for _ in range(600):
            if self.ask("query-status")["status"] == status:
                return
            time.sleep(0.1)
        raise RuntimeError(f"the guest is not {status} after a minute")


def _image(tell: Callable[[str], None]) -> Path:
    """The folder of the built guest; made at the first use and kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stackbook" / "guest"
    image = cache / recipe.digest()
    if (image / "state").exists():
        return image
    began = time.monotonic()
    if not (image / "built").exists():
        shutil.rmtree(image, ignore_errors=True)
        recipe.build(image, tell)
        _blank_disks(image)
        (image / "built").touch()
    tell(f"its disk is there after {time.monotonic() - began:.0f} s; starting it for the first time")
    machine = Machine(image, image)
    try:
        machine.wait_for_ssh(SshHost(machine.settings("guest1")), BOOT_S)
        SshHost(machine.settings("guest1")).run(
            ["sh", "-c", "sync; systemctl is-system-running --wait"], check=False, timeout=300
        )
        machine.save(image / "state")
    finally:
        machine.stop()
    tell(f"its state was saved after {time.monotonic() - began:.0f} s")
    return image


def _blank_disks(image: Path) -> None:
    for name, file in (("root", "root.img"), ("used", "used.img")):
        _create(image / f"{name}.qcow2", "-b", str(image / file), "-F", "raw")
    for name, _, size in DISKS.values():
        if name != "used":
            _create(image / f"{name}.qcow2", size=f"{size}M")


def _overlays(image: Path, folder: Path) -> None:
    for name in ("root", *(name for name, _, _ in DISKS.values())):
        _create(folder / f"{name}.qcow2", "-b", str(image / f"{name}.qcow2"), "-F", "qcow2")


def _create(path: Path, *options: str, size: str = "") -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), *([size] if size else [])], check=True)
