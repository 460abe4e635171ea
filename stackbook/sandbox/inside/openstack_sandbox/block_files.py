"""Programs that take plain files for block devices, as an ordinary user: how real LVM runs on a sandbox host.

LVM refuses files. A seccomp filter hands the three system calls by which a program tells a disk from a file (fstat,
newfstatat, ioctl) to this process, which answers for the chosen files as the kernel would for disks; all else goes its
way, reading and writing included. Linux 5.5 or newer, x86-64 and arm64. Standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import socket
import stat
import struct
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

Files = Mapping[tuple[int, int], int]
"""Device and inode of each file, to the device number under which it appears."""


class _Machine(NamedTuple):
    seccomp: int
    fstat: int
    newfstatat: int
    ioctl: int
    stat: str
    """The layout of struct stat: device, inode, links and mode, owner, device number, sizes, three times."""


_MACHINES = {
    "x86_64": _Machine(317, 5, 262, 16, "QQQIII4xQqqq6q24x"),
    "aarch64": _Machine(277, 80, 79, 29, "QQIIIIQ8xqi4xq6q8x"),
}
_NO_NEW_PRIVILEGES = 38
_SET_FILTER, _NEW_LISTENER = 1, 8
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: word, jump, verdict
_ALLOW, _ASK = 0x7FFF0000, 0x7FC00000
_RECEIVE, _SEND, _CONTINUE = 0xC0502100, 0xC0182101, 1
_NOTICE, _ANSWER = "QIIiIQ6Q", "QqiI"
_HERE = 0xFFFFFF9C  # AT_FDCWD
_SIZE_64 = 0x80081272
_IOCTLS = {
    0x1268: struct.pack("i", 512),  # logical sector
    0x127B: struct.pack("I", 512),  # physical sector
    0x80081270: struct.pack("i", 4096),  # block
    0x125E: struct.pack("i", 0),  # read-only
    0x1263: struct.pack("l", 256),  # read-ahead
}


def run(argv: Sequence[str], files: Files, environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    """Run `argv` to its end, with `files` as block devices; what it printed and its exit code.

    Raises OSError (also as subprocess.SubprocessError) where this system can't do that.
    """
    machine = _MACHINES.get(os.uname().machine)
    if machine is None:
        raise OSError(f"files can't stand in for disks on {os.uname().machine}")
    ours, theirs = socket.socketpair()
    threading.Thread(target=_answer_all, args=(ours, machine, files), daemon=True).start()
    with theirs:
        return subprocess.run(argv, env=dict(environment), capture_output=True, preexec_fn=lambda: _filter(machine, theirs))


def _filter(machine: _Machine, channel: socket.socket) -> None:
    """In the child: let the kernel ask about the three calls from now on, and send away where it asks."""
    calls = (machine.fstat, machine.newfstatat, machine.ioctl)
    lines = [(_LOAD, 0, 0, 0), *((_EQUAL, len(calls) - at, 0, call) for at, call in enumerate(calls))]
    program = b"".join(struct.pack("HBBI", *line) for line in [*lines, (_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _ASK)])
    held = ctypes.create_string_buffer(program)
    about = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(held)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    listener = libc.syscall(machine.seccomp, _SET_FILTER, _NEW_LISTENER, about)
    if listener < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    socket.send_fds(channel, [b"."], [listener])
    os.close(listener)


def _answer_all(channel: socket.socket, machine: _Machine, files: Files) -> None:
    with channel:
        _, listeners, *_ = socket.recv_fds(channel, 1, 1)
    for listener in listeners:
        waiting = select.poll()
        waiting.register(listener, select.POLLIN)
        while not waiting.poll()[0][1] & select.POLLHUP:  # until no process is left that could ask
            _answer(listener, machine, files)
        os.close(listener)


def _answer(listener: int, machine: _Machine, files: Files) -> None:
    notice = bytearray(struct.calcsize(_NOTICE))
    try:
        fcntl.ioctl(listener, _RECEIVE, notice)
        id, pid, _, call, _, _, *arguments = struct.unpack(_NOTICE, notice)
        told = _told(machine, files, pid, call, arguments)
        if told is not None:
            with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
                memory.seek(told[0])
                memory.write(told[1])
        fcntl.ioctl(listener, _SEND, bytearray(struct.pack(_ANSWER, id, 0, 0, 0 if told else _CONTINUE)))
    except FileNotFoundError:
        pass  # the process was killed meanwhile


def _told(machine: _Machine, files: Files, pid: int, call: int, arguments: list[int]) -> tuple[int, bytes] | None:
    """Where in the process's memory to write what; None where the kernel itself answers."""
    try:
        path = _path(machine, pid, call, arguments)
        found = os.stat(path)
        number = files.get((found.st_dev, found.st_ino))
    except OSError:
        return None
    if number is None:
        return None
    if call != machine.ioctl:
        return arguments[1 if call == machine.fstat else 2], _as_disk(machine, found, number)
    asked = arguments[1] & 0xFFFFFFFF
    answer = struct.pack("Q", found.st_size) if asked == _SIZE_64 else _IOCTLS.get(asked)
    return None if answer is None else (arguments[2], answer)


def _path(machine: _Machine, pid: int, call: int, arguments: list[int]) -> str:
    folder = arguments[0] & 0xFFFFFFFF
    opened = f"/proc/{pid}/cwd" if folder == _HERE else f"/proc/{pid}/fd/{folder}"
    if call != machine.newfstatat:
        return opened
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(arguments[1])
        name = os.fsdecode(memory.read(4096).split(b"\0")[0])
    return os.path.join(opened, name) if name else opened


def _as_disk(machine: _Machine, found: os.stat_result, number: int) -> bytes:
    mode = stat.S_IFBLK | 0o660
    links = (1, mode) if machine.stat.startswith("QQQ") else (mode, 1)
    times = [part for time in (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns) for part in divmod(time, 10**9)]
    owner = (found.st_uid, found.st_gid)
    return struct.pack(machine.stat, found.st_dev, found.st_ino, *links, *owner, number, 0, 4096, found.st_blocks, *times)
