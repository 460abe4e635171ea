"""Machines moved into the sandbox: every byte, MAC and address there, nothing left over, and all of it taken back."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stackbook import apply, plan, plan_undo, verify
from stackbook.errors import BadInput, CloudFailed, PlanNotApproved, StackbookError
from stackbook.journal import Run
from stackbook.migration import passage
from stackbook.moves import consoles, fit, landed, wave
from stackbook.moves.move import Move
from stackbook.resources import Disk, disk_place
from stackbook.site import Site

from . import bundles
from .bundles import MIB
from .conftest import bytes_equal, orphans

pytestmark = pytest.mark.usefixtures("networks")
NewSite = Callable[[], Site]
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def bios(folder: Path) -> tuple[bundles.Made, dict[str, str], list[str]]:
    """A Linux machine with BIOS."""
    return bundles.ova(folder, "linux-bios", (48 * MIB,)), {"networks": "app", "ips": "192.0.2.10"}, ["00:50:56:01:02:03"]


def uefi(folder: Path) -> tuple[bundles.Made, dict[str, str], list[str]]:
    """A Linux machine with UEFI, two disks, two cards on two networks."""
    macs = ["00:50:56:0a:00:01", "00:50:56:0a:00:02"]
    made = bundles.ova(
        folder, "linux-uefi", (32 * MIB, 20 * MIB), macs=macs, networks=("LAN", "SAN"), firmware="efi", vcpus=2, ram=2048
    )
    return made, {"networks": "LAN=app,SAN=backup", "ips": "192.0.2.11, 198.51.100.11"}, macs


def windows(folder: Path) -> tuple[bundles.Made, dict[str, str], list[str]]:
    """A machine like a Windows server: an export without MACs, SHA-1, a monolithic sparse disk."""
    about = dict(os_type="windows2019srv_64Guest", os_id="112", macs=(None,), firmware="efi", controller="VirtualSCSI")
    made = bundles.ova(folder, "windows", (40 * MIB,), algorithm="sha1", subformat="monolithicSparse", **about)
    return made, {"networks": "app", "ips": "192.0.2.12", "macs": "00-50-56-0B-00-01"}, ["00:50:56:0b:00:01"]


def split(folder: Path) -> tuple[bundles.Made, dict[str, str], list[str]]:
    """A VMX beside a flat disk in several files."""
    source = bundles.raw(folder / "split.raw", 30 * MIB)
    bundles.vmdk(source, folder / "split.vmdk", "twoGbMaxExtentFlat")
    half, text = 15 * MIB // 512, (folder / "split.vmdk").read_text()
    whole = (folder / "split-f001.vmdk").read_bytes()
    (folder / "split-f001.vmdk").write_bytes(whole[: 15 * MIB])
    (folder / "split-f002.vmdk").write_bytes(whole[15 * MIB :])
    one = f'RW {2 * half} FLAT "split-f001.vmdk" 0'
    assert one in text
    (folder / "split.vmdk").write_text(
        text.replace(one, f'RW {half} FLAT "split-f001.vmdk" 0\nRW {half} FLAT "split-f002.vmdk" 0')
    )
    (folder / "split.vmx").write_text(
        'displayName = "split-flat"\nnumvcpus = "1"\nmemsize = "512"\nguestOS = "debian12-64"\n'
        'sata0:0.present = "TRUE"\nsata0:0.fileName = "split.vmdk"\n'
        'ethernet0.present = "TRUE"\nethernet0.networkName = "app"\nethernet0.generatedAddress = "00:0c:29:01:02:03"\n'
    )
    return bundles.Made(str(folder / "split.vmx"), (source,)), {"ips": "192.0.2.13"}, ["00:0c:29:01:02:03"]


MACHINES = (bios, uefi, windows, split)


@contextmanager
def requests(kill: int = 0, methods: tuple[str, ...] = WRITES) -> Iterator[list[tuple[str, str]]]:
    """Lists the requests that write (or are of other `methods`).

    Kills this process before the `kill`-th one is sent (negative: after its answer).
    """
    from keystoneauth1.session import Session

    original, found = Session.request, list[tuple[str, str]]()

    def request(self: Any, url: str, method: str, *arguments: Any, **options: Any) -> Any:
        if method in methods and "/auth/tokens" not in url:
            found.append((method, url))
            if kill == len(found):
                os.kill(os.getpid(), signal.SIGKILL)
        answer = original(self, url, method, *arguments, **options)
        if method in methods and "/auth/tokens" not in url and kill == -len(found):
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    Session.request = request  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Session.request = original  # type: ignore[method-assign]


def undo(run: Run, site: Site) -> None:
    """Take a run back."""
    planned = plan_undo(run, site)
    apply(planned, site, approve=planned.digest)
    verify(planned, site)


@pytest.mark.parametrize("kind", MACHINES)
def test_machine(kind: Any, new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path) -> None:
    """Planned, refused, moved, proved, planned empty, taken back: bytes, MACs, addresses and properties are the machine's."""
    made, wanted, macs = kind(tmp_path)
    before, site = orphans(cloud), new_site()
    move = fit(made.path, site, **wanted)
    assert move.stops == [], move
    planned = plan(move.desired, site)
    with pytest.raises(PlanNotApproved):
        apply(planned, site)
    assert orphans(cloud) == before
    apply(planned, site, approve=planned.digest)
    assert verify(planned, site) == []
    assert landed(move, site) == []
    assert "login:" in consoles(move, site)["says last"][0]
    assert there(move, cloud) == (macs, [ip.strip() for ip in wanted["ips"].split(",")])
    for number, source in enumerate(made.raws):
        volume = cloud.block_storage.find_volume(f"{move.name}-disk{number}")
        assert bytes_equal(sandbox, volume.id, source, volume.size)
        assert volume.volume_image_metadata["hw_disk_bus"] == "sata"
        assert (volume.volume_image_metadata.get("hw_firmware_type") == "uefi") == (kind in (uefi, windows))
    assert orphans(cloud)["images"] == before["images"]
    again = new_site()
    assert len(plan(fit(made.path, again, **wanted).desired, again)) == 0
    undo(site.run, new_site())
    assert orphans(cloud) == before
    assert all(Path(raw).exists() for raw in made.raws)


def there(move: Move, cloud: Any) -> tuple[list[str], list[str]]:
    """The MACs and addresses of a server's ports, by the ports' names; its disks stay when it goes."""
    server = cloud.compute.find_server(move.name)
    held = list(cloud.compute.volume_attachments(server.id))
    assert sorted(item.device for item in held) == [f"/dev/{item}" for item in ("vda", "vdb")[: len(held)]] or len(held) > 0
    assert not any(item.delete_on_termination for item in held)
    ports = sorted(cloud.network.ports(device_id=server.id), key=lambda port: port.name)
    return [port.mac_address for port in ports], [port.fixed_ips[0]["ip_address"] for port in ports]


@pytest.mark.usefixtures("roomy")
def test_two_tebibytes_thin(new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path) -> None:
    """A 2 TiB disk with little in it is moved whole: what is sent and stored is little, and its last byte is there."""
    source = tmp_path / "thin.raw"
    with source.open("wb") as stream:
        for at in (0, 1 << 40, (2 << 40) - 512):
            stream.seek(at)
            stream.write(b"\x01" * 512)
    bundles.vmdk(str(source), tmp_path / "thin.vmdk", "monolithicSparse")
    site = new_site()
    move = fit(str(tmp_path / "thin.vmdk"), site, networks="app", ips="192.0.2.14", macs="00:50:56:0c:00:01")
    assert move.stops == []
    disks = [wanted for wanted in move.desired if isinstance(wanted, Disk)]
    apply(plan(disks, site), site, approve="yes")
    volume = cloud.block_storage.find_volume("thin-disk0")
    assert volume.size == 2048
    assert bytes_equal(sandbox, volume.id, str(source), 2048)
    undo(site.run, new_site())


def test_flat_vmdk_of_the_seed(new_site: NewSite, sandbox: Path, cloud: Any, tmp_path: Path) -> None:
    """The seed's own case: a flat VMDK becomes a bootable volume, the image is gone, the server is on its fixed port."""
    source = bundles.raw(tmp_path / "seed.raw", 20 * MIB)
    bundles.vmdk(source, tmp_path / "seed.vmdk", "monolithicFlat")
    before, site = orphans(cloud), new_site()
    wanted = {"networks": "app", "ips": "192.0.2.15", "macs": "00:50:56:0d:00:01", "options": "flavor=m1.small"}
    move = fit(str(tmp_path / "seed.vmdk"), site, **wanted)
    apply(plan(move.desired, site, preflight=move.stops), site, approve="yes")
    volume = cloud.block_storage.find_volume("seed-disk0")
    assert volume.is_bootable
    assert bytes_equal(sandbox, volume.id, source, 1)
    assert orphans(cloud)["images"] == before["images"]
    assert there(move, cloud) == (["00:50:56:0d:00:01"], ["192.0.2.15"])
    undo(site.run, new_site())


@contextmanager
def watched() -> Iterator[dict[str, Any]]:
    """Files that this process opens for writing, and bytes that it sends over HTTP."""
    import http.client

    seen: dict[str, Any] = {"files": [], "bytes": 0, "on": True}

    def hook(event: str, arguments: Any) -> None:
        if seen["on"] and event == "open" and arguments[2] is not None and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen["files"].append(str(arguments[0]))

    original = http.client.HTTPConnection.send

    def send(self: Any, data: Any) -> None:
        seen["bytes"] += len(data) if seen["on"] else 0
        original(self, data)

    sys.addaudithook(hook)
    http.client.HTTPConnection.send = send  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        seen["on"] = False
        http.client.HTTPConnection.send = original  # type: ignore[method-assign]


@pytest.mark.parametrize("subformat", ["streamOptimized", "monolithicSparse", "monolithicFlat"])
def test_no_temporary_disk(subformat: str, new_site: NewSite, tmp_path: Path) -> None:
    """Measured: moving a disk writes no file but the journal; passed through, at most 1.02 times the container is sent."""
    source = bundles.raw(tmp_path / "w.raw", 60 * MIB, pieces=60, most=900_000)
    bundles.vmdk(source, tmp_path / "w.vmdk", subformat)
    site = new_site()
    move = fit(str(tmp_path / "w.vmdk"), site, networks="app", ips="any", macs="new")
    disks = [wanted for wanted in move.desired if isinstance(wanted, Disk)]
    planned = plan(disks, site)
    with watched() as seen:
        apply(planned, site, approve="yes")
    undo(site.run, new_site())
    ours = [
        path for path in seen["files"] if not path.startswith((str(site.run.folder), os.environ["XDG_STATE_HOME"], "/dev/null"))
    ]
    assert [path for path in ours if not path.endswith((".pyc", "__pycache__")) and ".pyc." not in path] == []
    if subformat != "monolithicFlat":
        assert seen["bytes"] <= 1.02 * (tmp_path / "w.vmdk").stat().st_size


def test_flipped_byte_in_the_volume(new_site: NewSite, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that changes between image and volume is found; the volume and the image are removed again."""
    site, before = new_site(), orphans(cloud)
    planned = planned_disk(tmp_path, site)
    original = disk_place.readable

    def flipped(site: Site, volume: str) -> str:
        path = str(original(site, volume))
        with open(path, "r+b") as stream:
            stream.seek(5)
            stream.write(b"\xff")
        return path

    monkeypatch.setattr(disk_place, "readable", flipped)
    with pytest.raises(CloudFailed, match="does not hold"):
        apply(planned, site, approve="yes")
    assert orphans(cloud) == before


def test_flipped_byte_on_the_way(new_site: NewSite, cloud: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte that changes on the wire is found by glance's checksum; the image is removed again."""
    site, before = new_site(), orphans(cloud)
    planned = planned_disk(tmp_path, site)
    original = passage.Chunked.__iter__

    def flipped(self: Any) -> Iterator[bytes]:
        for number, block in enumerate(original(self)):
            yield block[:9000] + bytes([block[9000] ^ 1]) + block[9001:] if number == 0 else block

    monkeypatch.setattr(passage.Chunked, "__iter__", flipped)
    with pytest.raises(CloudFailed, match="what arrived is not"):
        apply(planned, site, approve="yes")
    assert orphans(cloud) == before


def test_changed_between_plan_and_apply(new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """A file that was written to after the plan is refused, and nothing was made."""
    site, before = new_site(), orphans(cloud)
    planned = planned_disk(tmp_path, site)
    path = next(tmp_path.glob("*.ova"))
    with path.open("r+b") as stream:
        stream.seek(path.stat().st_size // 2)
        stream.write(b"\xff\xff")
    with pytest.raises(StackbookError, match="changed"):
        apply(planned, site, approve="yes")
    assert orphans(cloud) == before


def planned_disk(folder: Path, site: Site, sizes: tuple[int, ...] = (6 * MIB,)) -> Any:
    """The plan of one small disk, or of several."""
    path = folder / "small.ova"
    if not path.exists():
        bundles.ova(folder, "small", sizes)
    move = fit(str(path), site, networks="app", ips="any", macs="new")
    return plan([wanted for wanted in move.desired if isinstance(wanted, Disk)], site)


def killed(act: Callable[[], Any], kill: int) -> bool:
    """Call `act` in a child that is killed at its `kill`-th request; whether it was."""
    child = os.fork()
    if not child:
        try:
            with requests(kill):
                act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def test_plan_of_twenty_machines(new_site: NewSite, ample: None, tmp_path: Path) -> None:
    """Twenty machines of a CSV are planned together without one request that writes, and with few that read."""
    made = bundles.ova(tmp_path, "m", (2 * MIB,), macs=(None,))
    lines = [f"{Path(made.path).name},m{n},192.0.2.{100 + n},00:50:56:0e:00:{n:02x}" for n in range(20)]
    (tmp_path / "wave.csv").write_text("\n".join(["bundle,name,ips,macs", *lines]))
    site = new_site()
    with requests() as written, requests(methods=("GET",)) as read:
        found = wave(str(tmp_path / "wave.csv"), site, networks="app")
        planned = plan(found.desired, site, preflight=found.stops)
    assert (written, found.stops, len(found.moves), len(planned)) == ([], [], 20, 60)
    assert len(read) <= 30 + 10 * 20


def test_waves(new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """Machines left out, stopped and there already each have their row; the others move without them."""
    for name in ("a", "b", "c"):
        bundles.ova(tmp_path, name, (2 * MIB,), macs=(f"00:50:56:30:00:0{ord(name) % 8}",))
    (tmp_path / "cut.ova").write_bytes((tmp_path / "a.ova").read_bytes()[:70_000])
    lines = ("bundle,ips,skip", "a.ova,192.0.2.51,", "b.ova,,", "c.ova,192.0.2.53,yes", "cut.ova,192.0.2.54,")
    (tmp_path / "wave.csv").write_text("\n".join(lines))
    before, site, listed = orphans(cloud), new_site(), str(tmp_path / "wave.csv")
    held = wave(listed, site, networks="app")
    states = {row["machine"]: row["state"] for row in held.table}
    assert states == {"a": "to move", "b": "stopped", "c.ova": "left out: skip=yes", "cut.ova": "stopped"}
    assert len(held.stops) == 2
    found = wave(listed, site, networks="app", options="skip=stopped")
    assert found.stops == []
    assert [row["machine"] for row in found.rows if row["level"] == "SKIP"] == ["b", "c.ova", "cut.ova"]
    apply(plan(found.desired, site, preflight=found.stops), site, approve="yes")
    assert landed(found, site) == []
    assert list(consoles(found, site)["server"]) == ["a"]
    (tmp_path / "wave.csv").write_text("\n".join(lines).replace("b.ova,,", "b.ova,192.0.2.52,"))
    again = wave(listed, site, networks="app", options="skip=stopped")
    assert {row["machine"]: row["state"] for row in again.table}["a"] == "there already"
    assert {change.address for change in plan(again.desired, site).plan} == {"disk/b-disk0", "port/app/b-nic0", "server/b"}
    with pytest.raises(BadInput, match="skip is"):
        wave(listed, site, networks="app", options="skip=maybe")
    undo(site.run, new_site())
    assert orphans(cloud) == before


def test_a_machine_that_fails_does_not_hold_up_its_wave(new_site: NewSite, cloud: Any, tmp_path: Path) -> None:
    """The second's file is written to after planning: the others move, it is named with the cause, and moves the next time."""
    made = {name: bundles.ova(tmp_path, name, (2 * MIB,), macs=(f"00:50:56:31:00:0{n}",)) for n, name in enumerate("pqr")}
    lines = [f"{name}.ova,192.0.2.{61 + n}" for n, name in enumerate(made)]
    (tmp_path / "wave.csv").write_text("\n".join(["bundle,ips", *lines]))
    before, site = orphans(cloud), new_site()
    found = wave(str(tmp_path / "wave.csv"), site, networks="app")
    planned = plan(found.desired, site, preflight=found.stops)
    os.utime(made["q"].path)
    with pytest.raises(CloudFailed, match="1 of 3 failed: q; the others were made") as caught:
        apply(planned, site, approve="yes", apart=found.apart)
    assert len(caught.value.found) == 1
    assert caught.value.found[0].startswith("disk/q-disk0: the files of q-disk0.vmdk changed since the plan was made (")
    assert sorted(server.name for server in cloud.compute.servers() if server.name in made) == ["p", "r"]
    again = wave(str(tmp_path / "wave.csv"), site, networks="app")
    assert {change.address for change in plan(again.desired, site).plan} == {"disk/q-disk0", "port/app/q-nic0", "server/q"}
    apply(plan(again.desired, site), site, approve="yes", apart=again.apart)
    assert landed(again, site) == []
    undo(site.run, new_site())
    assert orphans(cloud) == before


def test_what_stands_in_the_way(new_site: NewSite, tmp_path: Path) -> None:
    """Each reason to stop is a row of its own, with what was found."""
    two = ("00:50:56:0f:00:01", "00:50:56:0f:00:01")
    made = bundles.ova(
        tmp_path,
        "bad",
        (2 * MIB,),
        macs=two,
        networks=("A", "B"),
        vcpus=500,
        config='<vmw:Config vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true"/>',
    )
    site = new_site()
    (tmp_path / "broken.ova").write_bytes(b"x" * 2000)
    found = wave(str(tmp_path), site, networks="A=app,B=nowhere", ips="203.0.113.5,192.0.2.1")
    told = {row["check"].partition(": ")[2]: row["found"] for row in found.stops}
    assert "500 vCPU" in told["flavor"]
    assert "lies in no subnet" in told["nic 0"]
    assert "none of that name" in told["nic 1"]
    assert "Secure Boot" in told["firmware"]
    assert "broken.ova" in told["bundle"]
    same = fit(made.path, site, networks="app", ips="192.0.2.1,192.0.2.20", options="flavor=new,secure_boot=drop")
    told = {row["check"].partition(": ")[2]: row["found"] for row in same.stops}
    assert "asked for by bad-nic0" in told["nic 1"]
    assert "gateway" in told["nic 0"]
