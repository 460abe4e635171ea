"""Fuzzes each reader, guided by coverage: `atheris` has to be installed.

    python -m tests.migration.guided [SECONDS] [READER]

SECONDS are shared out among the readers, one process after the other. A crash is anything but a refusal; a hang takes
over 20 s; memory is that of the whole process at its peak. Prints a table; inputs that crash are kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SECTOR = 512
MOST_SECONDS, MOST_MIB = 20, 1024
TEXTS = ("descriptor", "manifest", "ovf", "vmx")
DISKS = ("stream", "exported", "sparse", "qcow2", "vhdx")
READERS = (*TEXTS, *DISKS, "tar", "bundle")
Target = Callable[[bytes], None]


class Sectors:
    """A file as the sectors that are not zero, so that damage hits what is there; a few bytes after them cut its end."""

    def __init__(self, sound: bytes) -> None:
        self.size = len(sound)
        pieces = [(at, sound[at : at + SECTOR]) for at in range(0, len(sound), SECTOR)]
        self.places = [at for at, piece in pieces if any(piece)]
        self.packed = b"".join(piece for _, piece in pieces if any(piece))

    def write(self, descriptor: int, data: bytes) -> None:
        """The file that `data` stands for."""
        tail = data[len(self.places) * SECTOR :][:3]
        os.ftruncate(descriptor, 0)
        for number, at in enumerate(self.places):
            os.pwrite(descriptor, data[number * SECTOR : (number + 1) * SECTOR], at)
        os.ftruncate(descriptor, max(0, self.size - int.from_bytes(tail, "little") % (self.size + 1)))


def seeds(folder: Path) -> dict[str, bytes]:
    """A sound input for each reader, as small as that kind can be."""
    from . import bundles, fuzz

    source = bundles.raw(folder / "s.raw", 1 << 20, pieces=2, most=3000)
    made = {
        "stream": bundles.vmdk(source, folder / "stream.vmdk"),
        "exported": bundles.stream(source, folder / "exported.vmdk"),
        "sparse": bundles.vmdk(source, folder / "sparse.vmdk", "monolithicSparse"),
        "qcow2": bundles.convert(source, folder / "d.qcow2", "qcow2", "cluster_size=512"),
        "vhdx": bundles.convert(source, folder / "d.vhdx", "vhdx"),
        "descriptor": bundles.vmdk(source, folder / "flat.vmdk", "monolithicFlat"),
    }
    found = {kind: Path(path).read_bytes() for kind, path in made.items()}
    ovf = bundles.describe("o", [made["stream"]], sizes=[1 << 20], config='<vmw:Config vmw:key="firmware" vmw:value="efi"/>')
    sums = bundles.manifest({"o.ovf": ovf, "stream.vmdk": made["stream"]})
    members: list[tuple[str, bytes | str]] = [("o.ovf", ovf), ("o.mf", sums), ("stream.vmdk", made["stream"])]
    archive = Path(bundles.tar(folder / "o.ova", members)).read_bytes()
    vmx = (fuzz.seeds(folder)["vmx"]).read_bytes()
    small = Path(bundles.tar(folder / "t.tar", [("a", b"1"), ("n" * 99, b"22")], 1)).read_bytes()
    return {**found, "ovf": ovf, "manifest": sums, "vmx": vmx, "bundle": archive, "tar": small}


def target(reader: str, sound: bytes, folder: Path) -> tuple[bytes, Target]:
    """The sound input as it is mutated, and what is called with each mutation."""
    if reader in TEXTS:
        return sound, _text(reader)
    path = folder / f"x.{ {'qcow2': 'qcow2', 'vhdx': 'vhdx', 'bundle': 'ova', 'tar': 'tar'}.get(reader, 'vmdk') }"
    packed, descriptor = Sectors(sound), os.open(path, os.O_RDWR | os.O_CREAT)

    def act(data: bytes) -> None:
        packed.write(descriptor, data)
        _file(reader, str(path))

    return packed.packed, act


def _text(reader: str) -> Target:
    from stackbook.migration import manifest, ovf, vmdk_text, vmx

    readers = {
        "descriptor": vmdk_text.read_descriptor,
        "manifest": manifest.read_manifest,
        "ovf": ovf.read_ovf,
        "vmx": vmx.read_vmx,
    }
    return lambda data: void(readers[reader](data, "there"))


def void(_: object) -> None:
    """Nothing: what was read is not needed."""


def _file(reader: str, path: str) -> None:
    from stackbook.migration import bundle, folder

    from .fuzz import _read

    if reader == "tar":
        folder.read_tar(path)
        return
    for disk in bundle.inspect(path, verify=reader == "bundle").disks:
        _read(disk.open())


def fuzz_one(reader: str, folder: Path, arguments: list[str]) -> None:
    """Fuzz one reader in this process, which ends with it."""
    import atheris  # type: ignore[import-untyped]

    from stackbook.errors import StackbookError

    with atheris.instrument_imports(include=["stackbook.migration"]):
        from stackbook.migration import bundle
        from stackbook.migration import folder as tars

        void(bundle)
    if reader in ("tar", "bundle"):
        tars._Members._checksum = lambda *_: None  # type: ignore[method-assign]  # else no damage gets past it
    first, act = target(reader, (folder / f"{reader}.seed").read_bytes(), folder)
    corpus = folder / f"{reader}-corpus"
    corpus.mkdir(exist_ok=True)
    (corpus / "sound").write_bytes(first)
    act(first)
    seen: set[str] = set()

    def once(data: bytes) -> None:
        try:
            act(data)
        except StackbookError as error:
            str(error)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
            if where not in seen:
                seen.add(where)
                kept = Path(tempfile.gettempdir()) / f"guided-{reader}-{len(seen)}"
                kept.write_bytes(data)
                print(f"CRASH {where}: kept as {kept}", flush=True)

    sizes = [f"-max_len={len(first) + 600}", f"-timeout={MOST_SECONDS}", f"-rss_limit_mb={MOST_MIB}", "-print_final_stats=1"]
    sizes.append(f"-artifact_prefix={tempfile.gettempdir()}/")
    atheris.Setup([sys.argv[0], *sizes, *arguments, str(corpus)], once)
    atheris.Fuzz()


def main(seconds: float, only: str = "") -> bool:
    """Fuzz all readers, print a table; returns whether anything was found."""
    wanted = [reader for reader in READERS if only in ("", reader)]
    bad = False
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        for kind, content in seeds(Path(name)).items():
            (Path(name) / f"{kind}.seed").write_bytes(content)
        print("| reader | seconds | executions | edges | crashes | peak MiB |\n|-|-|-|-|-|-|", flush=True)
        for reader in wanted:
            each = int(seconds / len(wanted))
            line = [sys.executable, "-m", __spec__.name, "--one", reader, name, f"-max_total_time={each}"]
            done = subprocess.run(line, capture_output=True, text=True, errors="replace", check=False)
            bad |= _told(reader, each, done.stdout + done.stderr) or done.returncode != 0
    return bad


def _told(reader: str, seconds: int, output: str) -> bool:
    crashes = re.findall(r"^CRASH .*", output, re.MULTILINE)
    edges = [int(found) for found in re.findall(r"\bcov: (\d+)", output)]
    numbers = dict(re.findall(r"^stat::(\w+):\s+(\d+)", output, re.MULTILINE))
    runs, peak = numbers.get("number_of_executed_units", "?"), numbers.get("peak_rss_mb", "?")
    print(f"| {reader} | {seconds} | {runs} | {max(edges, default=0)} | {len(crashes)} | {peak} |", flush=True)
    if "?" in (runs, peak) or "ERROR: libFuzzer" in output:
        crashes.append(output[-3000:])
    for told in crashes:
        print(told, flush=True)
    return bool(crashes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        with suppress(KeyboardInterrupt):
            fuzz_one(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 3600, *sys.argv[2:3]))
