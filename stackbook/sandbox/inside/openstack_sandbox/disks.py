"""The disks of a sandbox host: sparse files below its ``/dev``, with the commands that look at them and use them.

LVM, blkid and wipefs are the machine's own programs, pointed at these files and at the host's ``/etc/lvm``; lsblk and
losetup stand in, since the kernel knows nothing of such disks. Nothing here touches a disk of the machine.
Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openstack_sandbox.block_files import Files

GIB = 1 << 30
GROUP = "cinder-volumes"
LOOP_FILE = "/var/lib/cinder/cinder-volumes"
"""Where Packstack keeps the file behind its volume group."""
PLACES = "/usr/sbin:/sbin:/usr/bin:/bin"
LVM = (
    "pvchange", "pvck", "pvcreate", "pvdisplay", "pvmove", "pvremove", "pvresize", "pvs", "pvscan", "vgcfgbackup",
    "vgcfgrestore", "vgchange", "vgck", "vgcreate", "vgdisplay", "vgexport", "vgextend", "vgimport", "vgmerge",
    "vgmknodes", "vgreduce", "vgremove", "vgrename", "vgs", "vgscan", "vgsplit", "lvchange", "lvconvert", "lvcreate",
    "lvdisplay", "lvextend", "lvm", "lvmdevices", "lvreduce", "lvremove", "lvrename", "lvresize", "lvs", "lvscan",
    "lvmconfig", "lvmdiskscan", "lvmsadc", "lvmsar", "vgconvert", "vgimportclone",
)  # fmt: skip
REAL = ("blkid", "wipefs")
STAND_INS = ("lsblk", "losetup")
COMMANDS = (*LVM, *REAL, *STAND_INS)
MAJOR = 240  # for local use: no disk of the machine has it
_NOISE = (b"Running as a non-root user", b"Failed to find sysfs mount point", b"Activation disabled")
_CONF = """\
# The volume manager of the sandbox host {name}: real LVM on the files below {root}/dev.
devices {{
    dir = "{root}/dev"
    scan = [ "{root}/dev" ]
    obtain_device_list_from_udev = 0
    external_device_info_source = "none"
    multipath_component_detection = 0
    use_devicesfile = 0
    sysfs_scan = 0
    hints = "none"
}}
global {{
    # There is no device-mapper: groups are real, logical volumes are never active.
    activation = 0
    proc = "{root}/proc"
    etc = "{root}/etc"
    locking_dir = "{root}/run/lock/lvm"
    use_lvmpolld = 0
    notify_dbus = 0
}}
backup {{
    backup_dir = "{root}/var/lib/lvm/backup"
    archive_dir = "{root}/var/lib/lvm/archive"
}}
activation {{
    monitoring = 0
    udev_sync = 0
}}
log {{
    syslog = 0
}}
"""


def plant(root: Path) -> bool:
    """Give the host at `root` the disks of a controller that Packstack set up; whether LVM could make its group.

    ``loop0`` (20 GiB, a file) with the volume group cinder-volumes, ``sdb`` (200 GiB, empty), ``sdc`` (10 GiB, with a
    file system). All are sparse. What is there already stays.
    """
    _configure(root)
    file = root / LOOP_FILE.lstrip("/")
    if _sparse(file, 20) and not (root / "dev" / "loop0").exists():
        os.link(file, root / "dev" / "loop0")
    _sparse(root / "dev" / "sdb", 200)
    formatter = shutil.which("mkfs.ext4", path=PLACES)
    if _sparse(root / "dev" / "sdc", 10) and formatter:
        options = ["-q", "-F", "-L", "old-instances", "-O", "^has_journal", "-E", "lazy_itable_init=1"]
        subprocess.run([formatter, *options, str(root / "dev" / "sdc")], check=True, stdin=subprocess.DEVNULL)
    if shutil.which("pvs", path=PLACES) is None:
        return False
    known = _real(root, "vgs", ["--noheadings", "-o", "vg_name"]).stdout.split()
    return GROUP.encode() in known or _real(root, "vgcreate", [GROUP, "/dev/loop0"]).returncode == 0


def main() -> None:
    """Carry out ``ROOT COMMAND ARGUMENT...`` of the command line and end with the command's exit code."""
    root, command, *arguments = sys.argv[1:]
    if (command, arguments) == ("disks", ["plant"]):
        sys.exit(not plant(Path(root)))
    try:
        done = _stand_in(Path(root), command, arguments) if command in STAND_INS else _real(Path(root), command, arguments)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        sys.exit(1)
    sys.stdout.buffer.write(done.stdout)
    sys.stderr.buffer.write(done.stderr)
    sys.exit(done.returncode)


def _real(root: Path, command: str, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    """Run the machine's own program on the host's disks; its output names them as the host does."""
    program = shutil.which(command, path=PLACES)
    if program is None:
        return subprocess.CompletedProcess(command, 127, b"", f"{command}: command not found\n".encode())
    argv = [program, *(f"{root}{word}" if word.startswith("/dev/") else word for word in arguments)]
    environment = {"PATH": PLACES, "LC_ALL": "C", "LVM_SYSTEM_DIR": f"{root}/etc/lvm", "LVM_SUPPRESS_FD_WARNINGS": "1"}
    if command in LVM:
        from openstack_sandbox import block_files

        done = block_files.run(argv, _devices(root), environment)
    else:
        done = subprocess.run(argv, env=environment, capture_output=True, check=False)
    done.stdout, done.stderr = (text.replace(f"{root}/dev/".encode(), b"/dev/") for text in (done.stdout, done.stderr))
    done.stderr = b"".join(line for line in done.stderr.splitlines(True) if not any(noise in line for noise in _NOISE))
    return done


def _stand_in(root: Path, command: str, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
    if not {"--json", "-J"} & set(arguments):
        return subprocess.CompletedProcess(command, 1, b"", f"{command}: only --json is known on a sandbox host\n".encode())
    found = {"blockdevices": [_block_device(root, path) for path in _paths(root)]}
    if command == "losetup":
        found = {"loopdevices": [_loop(path) for path in _paths(root) if path.name.startswith("loop")]}
    return subprocess.CompletedProcess(command, 0, json.dumps(found, indent=3).encode() + b"\n", b"")


def _block_device(root: Path, path: Path) -> dict[str, object]:
    """A disk in the words of lsblk."""
    loop = path.name.startswith("loop")
    return {
        "name": path.name,
        "kname": path.name,
        "path": f"/dev/{path.name}",
        "type": "loop" if loop else "disk",
        "size": path.stat().st_size,
        "ro": False,
        "model": None if loop else "sandbox file",
        "serial": None if loop else f"{root.name}-{path.name}".upper(),
        "wwn": None,
        "mountpoints": [None],
    }


def _loop(path: Path) -> dict[str, object]:
    return {"name": f"/dev/{path.name}", "back-file": LOOP_FILE}


def _paths(root: Path) -> list[Path]:
    return sorted(path for path in (root / "dev").glob("*") if path.is_file())


def _devices(root: Path) -> Files:
    found = {path: path.stat() for path in _paths(root)}
    return {(one.st_dev, one.st_ino): os.makedev(MAJOR, 16 * at) for at, one in enumerate(found.values())}


def _configure(root: Path) -> None:
    """Tell LVM where all is; what it reads in ``/proc`` names one kind of disk and no mounts."""
    for folder in ("dev", "proc", "etc/lvm"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "proc" / "devices").write_text(f"Character devices:\n  1 mem\n\nBlock devices:\n{MAJOR} sd\n")
    (root / "proc" / "mounts").write_text("")
    (root / "etc" / "lvm" / "lvm.conf").write_text(_CONF.format(name=root.name, root=root))


def _sparse(path: Path, gibibytes: int) -> bool:
    """Make a file of that size that takes no room; False when it is there already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return False
    with path.open("wb") as file:
        file.truncate(gibibytes * GIB)
    return True


if __name__ == "__main__":
    main()
