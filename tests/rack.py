"""The sandbox hosts' network without the services: interfaces and Open vSwitch on three hosts, in half a second."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from stackbook.sandbox import networks, shims
from stackbook.sandbox.inside.openstack_sandbox import processes, rack
from stackbook.sandbox.recipe import REAL

FRAMES = Path(__file__).parent / "frames.py"


class Rack:
    """The hosts of a folder of their own; gone, with all processes, at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> Self:
        for host in REAL.hosts:
            shims.write(self.home, host, Path(sys.executable), REAL.inside)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home)

    def start(self) -> None:
        """Start the network; what it can't do here fails the test."""
        if why := rack.missing():
            raise AssertionError(why)
        rack.start(self.home, sys.executable, str(REAL.inside))
        rack.facts_soon(self.home)
        found = networks.network(self.home)
        assert (found.state, found.hint) == ("ready", ""), found

    def stop(self) -> None:
        """Stop every process."""
        processes.stop(self.home)

    def root(self, host: str) -> Path:
        """The host's root folder."""
        return self.home / "hosts" / host

    def on(self, host: str, *words: str) -> str:
        """What a command on `host` prints; it has to succeed."""
        done = subprocess.run(self.command(host, *words), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def command(self, host: str, program: str, *arguments: str) -> list[str]:
        """What executes a program on the network of `host`, whether or not it is one of those in its ``/usr/bin``."""
        boot = [sys.executable, "-I", "-S", "-c", rack.BOOT.format(module="rack_entry")]
        return [*boot, str(REAL.inside), str(self.home), host, program, *arguments]

    def frames(self, sender: tuple[str, str], text: str, receiver: str, *interfaces: str, seconds: float = 3) -> list[str]:
        """Lines ``INTERFACE TAG TEXT`` of what `interfaces` of host `receiver` hear when `sender` (host, interface) sends."""
        hear = self.command(receiver, sys.executable, str(FRAMES), "hear", str(seconds), *interfaces)
        with subprocess.Popen(hear, stdout=subprocess.PIPE, text=True) as listening:
            assert listening.stdout is not None
            assert listening.stdout.readline() == "ready\n"
            self.on(sender[0], sys.executable, str(FRAMES), "send", sender[1], text)
            return listening.stdout.read().splitlines()
