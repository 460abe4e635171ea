"""Realistic OpenStack logs of any size: 26 files of one day, with the records of some requests and servers among them."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

SERVICES = (
    *(
        "nova/nova-api",
        "nova/nova-conductor",
        "nova/nova-scheduler",
        "nova/nova-novncproxy",
        "nova/nova-manage",
        "nova/nova-metadata",
    ),
    *("nova/nova-compute", "neutron/neutron-server", "neutron/neutron-openvswitch-agent", "neutron/neutron-l3-agent"),
    *("neutron/neutron-dhcp-agent", "neutron/neutron-metadata-agent", "cinder/cinder-api", "cinder/cinder-scheduler"),
    *("cinder/cinder-volume", "cinder/cinder-backup", "glance/glance-api", "keystone/keystone", "placement/placement-api"),
    *("heat/heat-api", "heat/heat-engine", "octavia/octavia-api", "octavia/octavia-worker", "barbican/barbican-api"),
    *("designate/designate-api", "manila/manila-share"),
)
HOURS = 24
SEED = 20
SMALL, ROTATIONS = 2_000_000, 12
"""Bytes of content of a small file, and how many of each log."""


@dataclass(frozen=True)
class Samples:
    """A tree of generated logs and what is to be found in it."""

    folder: Path
    """A host's root: the files are below its ``var/log``."""
    ids: list[str]
    """Ten request ids and ten server ids that occur in about 20 records each."""
    end: datetime

    @property
    def files(self) -> list[Path]:
        """The log files."""
        return sorted(path for path in (self.folder / "var/log").rglob("*") if path.is_file())


def samples(folder: Path, size: int) -> tuple[Samples, Samples, Samples]:
    """The logs in `folder`, of about `size` bytes, made unless they are there: plain, compressed, a part in many small files."""
    mark = folder / "end"
    if not mark.exists():
        plain = write(folder / "plain", size, datetime.now(UTC))
        compress(plain, folder / "packed")
        compress(plain, folder / "rotated", SMALL)
        mark.write_text(plain.end.isoformat())
    end, ids = datetime.fromisoformat(mark.read_text()), _ids(random.Random(SEED))
    plain, packed, rotated = (Samples(folder / name, ids, end) for name in ("plain", "packed", "rotated"))
    return plain, packed, rotated


def write(folder: Path, size: int, end: datetime, seed: int = SEED) -> Samples:
    """Write 26 logs of together about `size` bytes for the day before `end`."""
    ids = _ids(random.Random(seed))
    jobs = [(folder, service, size // len(SERVICES), end, ids, seed + number) for number, service in enumerate(SERVICES)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_write_one, jobs))
    return Samples(folder, ids, end)


def compress(samples: Samples, folder: Path, each: int = 0) -> Samples:
    """The same logs rotated and compressed as logrotate does, in another folder; `each`: the first 12 times so many bytes."""
    parts = range(ROTATIONS if each else 1)
    jobs = [
        (path, folder / path.relative_to(samples.folder).with_name(f"{path.name}.{part + 1}.gz"), part * each, each)
        for path in samples.files
        for part in parts
    ]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_compress_one, jobs))
    return Samples(folder, samples.ids, samples.end)


def _compress_one(job: tuple[Path, Path, int, int]) -> None:
    source, target, start, size = job
    target.parent.mkdir(parents=True, exist_ok=True)
    packer = zlib.compressobj(6, wbits=31)
    with source.open("rb") as content, target.open("wb") as stream:
        content.seek(start)
        stop = start + size if size else source.stat().st_size
        while part := content.read(min(1 << 20, stop - content.tell())):
            stream.write(packer.compress(part))
        stream.write(packer.flush())


def _write_one(job: tuple[Path, str, int, datetime, list[str], int]) -> None:
    folder, service, size, end, ids, seed = job
    path = folder / "var/log" / f"{service}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        for block in _blocks(service, size, end, ids, random.Random(seed)):
            stream.write(block)


def _blocks(service: str, size: int, end: datetime, ids: list[str], source: random.Random) -> Iterator[str]:
    """Blocks of about 1 MB, each of which covers its share of the day."""
    name = service.partition("/")[2].replace("-", ".")
    count = max(1, size // 1_000_000)
    begin = (end - timedelta(hours=HOURS)).replace(tzinfo=UTC)
    step = timedelta(hours=HOURS) / count
    traced = {source.randrange(count): known for known in ids if source.random() < 0.8}
    makers = _makers(name, source)
    for number in range(count):
        yield "".join(_block(begin + number * step, step, min(size, 1_000_000), makers, traced.get(number), name, source))


def _block(
    begin: datetime,
    step: timedelta,
    size: int,
    makers: list[Callable[[str], str]],
    known: str | None,
    name: str,
    source: random.Random,
) -> Iterator[str]:
    written, seconds = 0, step.total_seconds()
    planted = size // 2
    while written < size:
        moment = begin + timedelta(seconds=seconds * min(0.999, written / size))
        stamp = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} {2100 + source.randrange(8)}"
        line = source.choice(makers)(stamp)
        if known and written > planted:
            line, known = _record(stamp, name, known, source), None
        written += len(line)
        yield line


def _record(stamp: str, name: str, known: str, source: random.Random) -> str:
    """A failure of the request or server `known`, with its traceback."""
    context = f"{known} req-{_uuid(source)}" if known.startswith("req-") else f"None req-{_uuid(source)}"
    tag = "" if known.startswith("req-") else f"[instance: {known}] "
    lines = [f"{stamp} INFO {name} [{context} u p - - default default] {tag}Attempting claim on node\n"]
    failed = "Build failed: nova.exception.PortBindingFailed: Binding failed"
    lines.append(f"{stamp} ERROR {name} [{context} u p - - default default] {tag}{failed}\n")
    lines += [f"{stamp} ERROR {name} {tag}{text}\n" for text in _TRACEBACK]
    return "".join(lines)


_TRACEBACK = (
    "Traceback (most recent call last):",
    *(
        f'  File "/usr/lib/python3/dist-packages/nova/step{number}.py", line {number * 17}, in step{number}'
        for number in range(12)
    ),
    "nova.exception.PortBindingFailed: Binding failed for port",
)


def _makers(name: str, source: random.Random) -> list[Callable[[str], str]]:
    """Lines as the services write them with ``debug`` on; the placeholders are filled in anew for each."""
    user, project = f"{source.getrandbits(128):032x}", f"{source.getrandbits(128):032x}"
    known = [_uuid(source) for _ in range(400)]

    def made(template: str) -> Callable[[str], str]:
        parts = template.split("@")

        def line(stamp: str) -> str:
            own, shared, thing = _uuid(source), _uuid(source), source.choice(known)
            values = (own, shared, thing, f"{source.randrange(10**6):06d}", str(source.randrange(250)))
            filled = [values[int(part[0])] + part[1:] for part in parts[1:]]
            return f"{stamp} {parts[0]}{''.join(filled)}\n"

        return line

    fixed = {"NAME": name, "USER": user, "PROJECT": project}
    return [made(_filled(template, fixed)) for template in _TEMPLATES]


def _filled(template: str, fixed: dict[str, str]) -> str:
    for word, value in fixed.items():
        template = template.replace(word, value)
    return template


_TEMPLATES = tuple((Path(__file__).parent / "log_templates.txt").read_text().splitlines())


def _ids(source: random.Random) -> list[str]:
    return [f"req-{_uuid(source)}" for _ in range(10)] + [_uuid(source) for _ in range(10)]


def _uuid(source: random.Random) -> str:
    text = f"{source.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
