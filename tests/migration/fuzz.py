"""Damages sound bundles and looks whether a reader crashes, hangs or grows.

    python -m tests.migration.fuzz SECONDS [TARGET]

The damage is random; no coverage guides it.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from stackbook.errors import StackbookError
from stackbook.migration import inspect
from stackbook.migration.zeros import blocks

from . import bundles
from .bundles import MIB

MOST_READ = 4 * MIB
MOST_SECONDS = 5.0


def seeds(folder: Path) -> dict[str, Path]:
    """A sound file for each reader."""
    source = bundles.raw(folder / "s.raw", MIB, pieces=3, most=30_000)
    found = {
        "stream": bundles.vmdk(source, folder / "stream.vmdk"),
        "exported": bundles.stream(source, folder / "exported.vmdk"),
        "sparse": bundles.vmdk(source, folder / "sparse.vmdk", "monolithicSparse"),
        "flat": bundles.vmdk(source, folder / "flat.vmdk", "monolithicFlat"),
        "qcow2": bundles.convert(source, folder / "q.qcow2", "qcow2"),
        "vhdx": bundles.convert(source, folder / "v.vhdx", "vhdx"),
        "ova": bundles.ova(folder, "vm", (MIB,)).path,
    }
    ovf = bundles.describe("o", [str(folder / "stream.vmdk")], sizes=[MIB])
    (folder / "o.ovf").write_bytes(ovf)
    (folder / "m.vmx").write_text(
        'displayName = "m"\nnumvcpus = "2"\nmemsize = "512"\nguestOS = "debian12-64"\nscsi0.virtualDev = "pvscsi"\n'
        'scsi0:0.present = "TRUE"\nscsi0:0.fileName = "stream.vmdk"\n'
        'ethernet0.present = "TRUE"\nethernet0.address = "00:50:56:01:02:03"\n'
    )
    return {**{name: Path(path) for name, path in found.items()}, "ovf": folder / "o.ovf", "vmx": folder / "m.vmx"}


def once(path: Path, data: bytes) -> str:
    """Write `data` at `path` and read it as a bundle; returns how that ended. What is no refusal is raised."""
    path.write_bytes(data)
    begun = time.monotonic()
    try:
        found = inspect(str(path))
        for disk in found.disks:
            _read(disk.open())
        repr(found)
        ended = "read"
    except StackbookError as error:
        ended = "refused"
        str(error)
    took = time.process_time() and time.monotonic() - begun
    if took > 20 * MOST_SECONDS:
        raise AssertionError(f"it took {took:.0f} s")
    return ended


def damaged(data: bytes, dice: random.Random) -> bytes:
    """`data` with a few bytes changed, cut, doubled or moved."""
    out = bytearray(data)
    for _ in range(dice.randrange(1, 6)):
        at = dice.choice((dice.randrange(len(out) or 1), dice.randrange(min(len(out) or 1, 2048))))
        size = dice.choice((1, 2, 4, 8, 16))
        kind = dice.randrange(6)
        if kind < 3:
            value = dice.choice(
                (bytes(size), b"\xff" * size, dice.randbytes(size), (1 << dice.randrange(63)).to_bytes(8, "little"))
            )
            out[at : at + len(value)] = value
        elif kind == 3:
            del out[at : at + dice.choice((1, 512, len(out)))]
        elif kind == 4:
            out[at:at] = out[at : at + size * 8]
        else:
            out[at : at + size] = out[at : at + size][::-1]
    return bytes(out)


def _read(content: object) -> None:
    done = 0
    try:
        for _, block in blocks(content, 65536):  # type: ignore[arg-type]
            done += len(block)
            if done > MOST_READ:
                return
    finally:
        content.close()  # type: ignore[attr-defined]


def main(seconds: float, target: str = "") -> None:
    """Damage until the time is over; prints counts and the memory that was held at most."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        found = {kind: path for kind, path in seeds(Path(name)).items() if target in ("", kind)}
        sound = {kind: path.read_bytes() for kind, path in found.items()}
        counts = {kind: {"read": 0, "refused": 0} for kind in found}
        dice, until = random.Random(os.urandom(8)), time.monotonic() + seconds
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        while time.monotonic() < until:
            for kind, path in found.items():
                data = damaged(sound[kind], dice)
                try:
                    counts[kind][once(path, data)] += 1
                except BaseException:
                    kept = Path(tempfile.gettempdir()) / f"fuzz-{kind}{path.suffix}"
                    kept.write_bytes(data)
                    print(f"{kind}: kept as {kept}", flush=True)
                    raise
                path.write_bytes(sound[kind])
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"{counts}\nmemory grew by {grown // 1024} MiB at most")


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
