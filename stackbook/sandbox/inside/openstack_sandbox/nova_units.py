"""Which of nova's services the running code belongs to.

Five services on three hosts share one process. The unit in `CURRENT` follows the code into threads and executors
(`patches.nova_threads`) and decides which nova.conf answers (`patches.nova_options`), into which log file a line goes
(`nova_logs`) and whose thread pools run the work (`patches.nova_executors`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


@dataclass(eq=False)
class Unit:
    """One run of one service on one host, from its start to its stop."""

    service: str
    """Its name and that of its log file, for example ``nova-compute``."""
    host: str
    config: Path
    """The nova.conf of its host, read once: at the start."""
    namespace: Any = None
    """What oslo.config parsed from `config`."""
    values: dict[tuple[str | None, str], Any] = field(default_factory=dict)
    """Options that were asked for so far."""
    pools: Any = None
    """Its own thread pools."""
    log: Any = None
    """The log file's logging.Handler."""


CURRENT: ContextVar[Unit | None] = ContextVar("nova_unit", default=None)


def run_as(unit: Unit, function: Callable[[], Result]) -> Result:
    """Call `function` as `unit`, and give back what it returns."""

    def entered() -> Result:
        CURRENT.set(unit)
        return function()

    return copy_context().run(entered)
