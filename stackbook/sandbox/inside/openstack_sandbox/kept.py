"""What lasting units read when they were started: private copies in ``run/kept/``. Standard library only.

A unit whose process was ended for another unit's sake goes on with its copy when that process comes back, as on a real
host, where the two share no process. The copies go when the whole sandbox stops, which is a reboot of its hosts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path


def folder(home: Path, host: str, name: str) -> Path:
    """Where the copy of the unit `name` of `host` lies, whether or not there is one."""
    return home / "run" / "kept" / host / name


def take(home: Path, host: str, name: str, etc: Path, files: Iterable[str]) -> None:
    """Copy `files` (relative to `etc`) as they are now; those that are missing stay missing."""
    target = folder(home, host, name)
    draft = target.with_name(f".{name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    for file in files:
        if (etc / file).exists():
            (draft / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(etc / file, draft / file)
    shutil.rmtree(target, ignore_errors=True)
    os.rename(draft, target)


def drop(home: Path, host: str, name: str) -> None:
    """Forget the copy: the unit reads its files afresh when its process comes back."""
    shutil.rmtree(folder(home, host, name), ignore_errors=True)


def drop_all(home: Path) -> None:
    """Forget every copy."""
    shutil.rmtree(home / "run" / "kept", ignore_errors=True)
