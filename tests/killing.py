"""Work that is killed: done in a child, which dies by ``kill -9`` wherever the work arranged it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def killed(act: Callable[[], object]) -> bool:
    """Call `act` in a forked child; whether that was killed before it ended."""
    child = os.fork()
    if not child:
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
