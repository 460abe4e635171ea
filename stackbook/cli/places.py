"""Where the command line keeps what belongs to no workspace."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """This user's folder for stackbook's own logs, made if it does not exist."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    folder = Path(state) / "stackbook"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
