"""Where sandboxes and what they are made of lie on this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from stackbook.errors import BadInput
from stackbook.sandbox.failure import NoSandbox

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def homes() -> Path:
    """The folder of all sandboxes: ``$STACKBOOK_SANDBOX_HOME``, else ``stackbook/sandbox`` in ``$XDG_DATA_HOME``."""
    own = os.environ.get("STACKBOOK_SANDBOX_HOME")
    return _absolute(own) if own else _xdg("XDG_DATA_HOME", ".local/share") / "stackbook" / "sandbox"


def cache() -> Path:
    """Environments and templates, which can be made again: below ``$STACKBOOK_CACHE``, else ``$XDG_CACHE_HOME``."""
    own = os.environ.get("STACKBOOK_CACHE")
    return (_absolute(own) if own else _xdg("XDG_CACHE_HOME", ".cache") / "stackbook") / "sandbox"


def home(name: str = "default") -> Path:
    """The folder of the sandbox `name`, whether or not it exists."""
    if not NAME.fullmatch(name):
        raise BadInput(f"sandbox {name!r}: a name is 1-32 of a-z, 0-9, _ and -, a letter or digit first")
    return homes() / name


def existing(name: str) -> Path:
    """The folder of the sandbox `name`; raises NoSandbox when it was never made."""
    folder = home(name)
    if not (folder / "sandbox.json").exists():
        raise NoSandbox(f"sandbox {name}: not made yet", found=names(), hint=f"stackbook sandbox up{_option(name)}")
    return folder


def names() -> list[str]:
    """The sandboxes that exist on this machine for this user."""
    return sorted(path.parent.name for path in homes().glob("[a-z0-9]*/sandbox.json"))


def private(folder: Path) -> Path:
    """`folder`, made if missing, with access for its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def _option(name: str) -> str:
    return "" if name == "default" else f" --name {name}"


def _xdg(variable: str, default: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else Path.home() / default  # relative ones are invalid by the XDG rules


def _absolute(path: str) -> Path:
    return Path(path).expanduser().absolute()
