"""A VM's disk out of an OVA into a bootable volume: our ways against the usual one, and against the floor.

    python -m benchmarks.migration [GIB [ROUNDS]]

The usual one: untar, ``qemu-img convert``, ``openstack image create``, volume from image. The floor: the slower of reading
the OVA once, and the services' own work (the same bytes put into glance, and cinder's volume of it). In one run, in turn.
Then the plan of twenty such machines.
Needs a sandbox, qemu-img, and python-openstackclient; the machine should have nothing else to do.
"""

from __future__ import annotations

import contextlib
import os
import random
import resource
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stackbook import apply, connect, plan, sandbox
from stackbook.migration import inspect
from stackbook.moves import wave
from stackbook.resources import Disk, disk_place

GIB, MIB = 1 << 30, 1 << 20
ROUNDS = 3
SANDBOX = os.environ.get("STACKBOOK_BENCH_SANDBOX", "bench")
MOST_OF_PEER, MOST_OF_FLOOR, MOST_ON_WIRE, MOST_TO_PLAN = 0.5, 1.3, 1.02, 60.0


@dataclass
class Cost:
    """What one way cost: seconds, seconds of the client's CPU, bytes sent, bytes of temporary disk."""

    wall: float
    cpu: float
    wire: int = 0
    disk: int = 0


def main(gib: float = 4, rounds: int = ROUNDS) -> bool:
    """Measure, print the table, and tell whether a budget was exceeded."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("STACKBOOK_BENCH_DIR")) as name, _site() as site:
        ova = _ova(Path(name), int(gib * GIB))
        found: dict[str, list[Cost]] = {way: [] for way in TOLD}
        for turn in range(rounds):
            for way in (_ours, _unchecked, _straight_in, _usual, _services):
                way(site, ova, found)
            _measured(found["read"], lambda: _read(ova))
            print(f"round {turn + 1} of {rounds}", flush=True)
        twenty = _plan_of_twenty(ova)
        container = ova.stat().st_size
    bad = _told(found, container, gib, rounds)
    print(f"plan of 20 machines: {twenty:.1f} s, 0 requests that write{'' if twenty <= MOST_TO_PLAN else '  EXCEEDED'}")
    return bad or twenty > MOST_TO_PLAN


def _told(found: dict[str, list[Cost]], container: int, gib: float, rounds: int) -> bool:
    best = {way: min(costs, key=lambda cost: cost.wall) for way, costs in found.items()}
    middle = {way: statistics.median(cost.wall for cost in costs) for way, costs in found.items()}
    print(f"{gib:g} GiB disk, OVA of {container / MIB:.0f} MiB; median of {rounds} rounds, load {os.getloadavg()[0]:.1f}\n")
    print("| | wall s | client CPU s | sent MiB | temporary disk MiB |\n|-|-|-|-|-|")
    for way, told in TOLD.items():
        cost = best[way]
        print(f"| {told} | {middle[way]:.1f} | {cost.cpu:.1f} | {cost.wire / MIB:.0f} | {cost.disk / MIB:.0f} |")
    floor = max(middle["read"], middle["services"])
    rows = [
        ("ours / usual", middle["ours"] / middle["usual"], MOST_OF_PEER),
        ("ours / floor", middle["ours"] / floor, MOST_OF_FLOOR),
        ("ours without comparing / floor", middle["unchecked"] / floor, MOST_OF_FLOOR),
        ("straight / usual", middle["straight"] / middle["usual"], MOST_OF_PEER),
        ("sent / container", best["ours"].wire / container, MOST_ON_WIRE),
        ("temporary disk, MiB", best["ours"].disk / MIB, 0.0),
    ]
    for what, value, most in rows:
        print(f"{what}: {value:.3f} (at most {most:g}){'' if value <= most else '  EXCEEDED'}")
    return any(value > most for _, value, most in rows)


TOLD = {
    "ours": "ours, every byte compared",
    "unchecked": "ours, not compared (a remote backend)",
    "straight": "ours, straight into the volume, every byte compared",
    "usual": "untar, convert, image create, volume",
    "services": "floor: the services' own work",
    "read": "floor: reading the OVA",
}


def _ours(site: Any, ova: Path, found: dict[str, list[Cost]], way: str = "image", into: str = "ours") -> None:
    with _watched() as seen:
        _measured(found[into], lambda: _moved(ova, way))
    found[into][-1].wire, found[into][-1].disk = seen["sent"], seen["written"]
    _gone(site, site.conn.block_storage.find_volume("bench-disk0"))


def _unchecked(site: Any, ova: Path, found: dict[str, list[Cost]]) -> None:
    kept = disk_place.readable, disk_place.reachable
    disk_place.readable, disk_place.reachable = lambda *_: "", lambda *_: False
    try:
        _ours(site, ova, found, into="unchecked")
    finally:
        disk_place.readable, disk_place.reachable = kept


def _straight_in(site: Any, ova: Path, found: dict[str, list[Cost]]) -> None:
    _ours(site, ova, found, "volume", "straight")


def _moved(ova: Path, way: str) -> None:
    site, disk = connect(_name(), runbook="bench"), inspect(str(ova)).disks[0]
    about = {"bundle": str(ova), "source": disk.source, "seen": disk.seen, "size": disk.gib}
    apply(plan([Disk(name="bench-disk0", bootable=True, way=way, **about)], site), site, approve="yes")


def _plan_of_twenty(ova: Path) -> float:
    site = connect(_name(), runbook="bench")
    quotas = {site.conn.block_storage: {"volumes": 50, "gigabytes": 500}, site.conn.compute: {"instances": 50, "cores": 50}}
    for service, more in quotas.items():
        service.put(f"/os-quota-sets/{site.conn.current_project_id}", json={"quota_set": more}, raise_exc=True)
    lines = [f"{ova},bench{number},00:50:56:00:01:{number:02x}" for number in range(20)]
    (ova.parent / "wave.csv").write_text("\n".join(["bundle,name,macs", *lines]))
    with _writing() as written:
        begun, site = time.monotonic(), connect(_name(), runbook="bench")
        with contextlib.redirect_stdout(open(os.devnull, "w")):
            found = wave(str(ova.parent / "wave.csv"), site, ips="any", options="flavor=new")
            planned = plan(found.desired, site)
        took = time.monotonic() - begun
    assert (written, len(found.moves)) == ([], 20)
    assert len(planned) >= 40, planned
    return took


@contextlib.contextmanager
def _writing() -> Iterator[list[str]]:
    """Lists the requests that write."""
    from keystoneauth1.session import Session

    original, found = Session.request, list[str]()

    def request(self: Any, url: str, method: str, *arguments: Any, **options: Any) -> Any:
        if method not in ("GET", "HEAD") and "/auth/tokens" not in url:
            found.append(f"{method} {url}")
        return original(self, url, method, *arguments, **options)

    Session.request = request  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Session.request = original  # type: ignore[method-assign]


def _usual(site: Any, ova: Path, found: dict[str, list[Cost]]) -> None:
    folder = ova.parent / "usual"
    folder.mkdir()
    _measured(found["usual"], lambda: _by_hand(site, ova, folder))
    found["usual"][-1].disk = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
    found["usual"][-1].wire = (folder / "disk.qcow2").stat().st_size
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    _gone(site, site.conn.block_storage.find_volume("bench-usual"))


def _by_hand(site: Any, ova: Path, folder: Path) -> None:
    run = lambda *words: subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=_environment())  # noqa: E731
    run("tar", "xf", str(ova))
    run("qemu-img", "convert", "-f", "vmdk", "-O", "qcow2", "disk.vmdk", "disk.qcow2")
    openstack = str(Path(sys.executable).parent / "openstack")
    run(
        openstack,
        "image",
        "create",
        "--disk-format",
        "qcow2",
        "--container-format",
        "bare",
        "--file",
        "disk.qcow2",
        "bench-usual",
    )
    _volume(site, "bench-usual")


def _services(site: Any, ova: Path, found: dict[str, list[Cost]]) -> None:
    part = inspect(str(ova)).disks[0].parts[0]
    with part.open() as window:
        content = [window.read(at, min(MIB, part.size - at)) for at in range(0, part.size, MIB)]
    _measured(found["services"], lambda: _straight(site, content))
    found["services"][-1].wire = part.size
    _gone(site, site.conn.block_storage.find_volume("bench-straight"))


def _straight(site: Any, content: list[bytes]) -> None:
    body = {"name": "bench-straight", "disk_format": "vmdk", "container_format": "bare"}
    id = site.conn.image.post("/images", json=body, raise_exc=True).json()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    site.conn.image.put(f"/images/{id}/file", data=_Blocks(content), headers=headers, raise_exc=True)
    _volume(site, "bench-straight")


class _Blocks:
    def __init__(self, blocks: list[bytes]) -> None:
        self.blocks = blocks

    def __len__(self) -> int:
        return sum(map(len, self.blocks))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.blocks)


def _volume(site: Any, name: str) -> None:
    image = next(iter(site.conn.image.images(name=name)))
    size = max(1, int(float(os.environ.get("STACKBOOK_BENCH_GIB", "4")) + 0.999))
    volume = site.conn.block_storage.create_volume(name=name, size=size, image_id=image.id)
    site.conn.block_storage.wait_for_status(volume, "available", interval=0.2, wait=600)
    site.conn.image.delete_image(image.id)


def _gone(site: Any, volume: Any) -> None:
    site.conn.block_storage.delete_volume(volume.id)
    site.conn.block_storage.wait_for_delete(volume, interval=0.2, wait=300)


def _read(ova: Path) -> None:
    with ova.open("rb", buffering=0) as stream:
        buffer = bytearray(MIB)
        while stream.readinto(buffer):
            pass


def _measured(into: list[Cost], act: Callable[[], object]) -> None:
    before, begun = _cpu(), time.monotonic()
    with contextlib.redirect_stdout(open(os.devnull, "w")):
        act()
    into.append(Cost(time.monotonic() - begun, _cpu() - before))


def _cpu() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


_SEEN: list[dict[str, int]] = []
OWN = ("/runs/", "/locks/", ".pyc", "/data/volumes/volume-")
"""What is no temporary disk: journals, locks, what Python compiles at its first run, and the volume itself."""


def _opened(event: str, arguments: Any) -> None:
    if event == "open" and _SEEN and arguments[2] and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        path = str(arguments[0])
        if path != os.devnull and not any(part in path for part in OWN):
            _SEEN[-1]["written"] += 1 << 40  # any file at all is over the budget


@contextlib.contextmanager
def _watched() -> Iterator[dict[str, int]]:
    """Counts the bytes that this process sends over HTTP, and notices every file that it opens for writing."""
    import http.client

    seen, original = {"sent": 0, "written": 0}, http.client.HTTPConnection.send

    def send(self: Any, data: Any) -> None:
        seen["sent"] += len(data)
        original(self, data)

    http.client.HTTPConnection.send = send  # type: ignore[method-assign]
    _SEEN.append(seen)
    try:
        yield seen
    finally:
        _SEEN.pop()
        http.client.HTTPConnection.send = original  # type: ignore[method-assign]


def _ova(folder: Path, size: int) -> Path:
    """An OVA whose disk is a third full, of data that packs to about a half."""
    print("making the OVA …", flush=True)
    raw, dice = folder / "disk.raw", random.Random(5)
    half = [dice.randbytes(32 * 1024) + b"stackbook " * 3277 for _ in range(64)]
    with raw.open("wb") as stream:
        stream.truncate(size)
        for at in range(MIB, size * 9 // 10, 3 * MIB):
            stream.seek(at)
            stream.write(b"".join(dice.choices(half, k=16)))
    subprocess.run(
        [
            "qemu-img",
            "convert",
            "-f",
            "raw",
            "-O",
            "vmdk",
            "-o",
            "subformat=streamOptimized",
            str(raw),
            str(folder / "disk.vmdk"),
        ],
        check=True,
    )
    raw.unlink()
    ovf = OVF.format(file=(folder / "disk.vmdk").stat().st_size, size=size)
    (folder / "bench.ovf").write_text(ovf)
    with tarfile.open(folder / "bench.ova", "w", format=tarfile.USTAR_FORMAT) as archive:
        for name in ("bench.ovf", "disk.vmdk"):
            archive.add(folder / name, name)
            (folder / name).unlink()
    return folder / "bench.ova"


OVF = """<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
<References><File ovf:href="disk.vmdk" ovf:id="f" ovf:size="{file}"/></References>
<DiskSection><Disk ovf:capacity="{size}" ovf:diskId="d" ovf:fileRef="f"/></DiskSection>
<VirtualSystem ovf:id="bench"><VirtualHardwareSection>
<Item><rasd:HostResource>ovf:/disk/d</rasd:HostResource><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType></Item>
</VirtualHardwareSection></VirtualSystem></Envelope>"""


def _name() -> str:
    return f"sandbox:{SANDBOX}"


def _environment() -> dict[str, str]:
    return {**os.environ, **sandbox.environment(SANDBOX)}


@contextlib.contextmanager
def _site() -> Iterator[Any]:
    sandbox.up(SANDBOX, progress=print)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        (Path(folder) / "stackbook.toml").touch()
        try:
            yield connect(_name(), runbook="bench")
        finally:
            if "STACKBOOK_BENCH_SANDBOX" not in os.environ:
                sandbox.down(SANDBOX)


sys.addaudithook(_opened)
if __name__ == "__main__":
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    os.environ["STACKBOOK_BENCH_GIB"] = str(size)
    sys.exit(main(size, int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS))
