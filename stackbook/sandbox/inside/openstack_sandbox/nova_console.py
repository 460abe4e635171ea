"""What a guest's serial console would show: canned, with the guest's own name and addresses."""

from __future__ import annotations

from datetime import UTC, datetime

from openstack_sandbox.nova_guests import Guest

_BOOT = """\
[    0.000000] Linux version 6.1.0-28-cloud-amd64 (sandbox) #1 SMP PREEMPT_DYNAMIC
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.1.0-28-cloud-amd64 root=/dev/vda1 ro console=ttyS0
[    0.004127] smpboot: Allowing {vcpus} CPUs, 0 hotplug CPUs
[    0.018034] Memory: {memory}K/{memory}K available
[    0.412908] virtio_blk virtio1: [vda] {sectors} 512-byte logical blocks
{links}
[    2.318442] EXT4-fs (vda1): mounted filesystem with ordered data mode
[    2.954310] systemd[1]: Hostname set to <{hostname}>.
[    3.120874] systemd[1]: Reached target network-online.target - Network is Online.
[    4.402511] cloud-init[512]: Cloud-init v. 22.4.2 running 'init' at {started}. Up 4.38 seconds.
{addresses}
[    6.871093] cloud-init[698]: Cloud-init v. 22.4.2 finished at {started}. Datasource DataSourceOpenStackLocal.  Up 6.85 seconds

Debian GNU/Linux 12 {hostname} ttyS0

{hostname} login: """


def console(guest: Guest) -> str:
    """The text of `guest`'s console since it was last switched on."""
    interfaces = list(guest.interfaces.values())
    return _BOOT.format(
        vcpus=guest.vcpus,
        memory=guest.memory_mb * 1024,
        sectors=guest.disk_gb * 2 * 1024 * 1024,
        hostname=guest.hostname,
        started=datetime.fromtimestamp(guest.started, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000"),
        links="\n".join(f"[    0.5{n:02d}117] virtio_net virtio{n}: ens{n + 3}: renamed from eth{n}"
                        for n in range(len(interfaces))),
        addresses="\n".join(_row(n, one) for n, one in enumerate(interfaces)),
    )  # fmt: skip


def _row(number: int, interface: dict[str, object]) -> str:
    ips = interface["ips"]
    first = ips[0] if isinstance(ips, list) and ips else "."
    return f"[    4.40{number:02d}18] cloud-init[512]: ci-info: | ens{number + 3} | True | {first} | {interface['mac']} |"
