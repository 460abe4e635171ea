"""Makes new threads inherit the context variables of the thread that starts them.

Why: cinder's three services share one process. A context variable says which of them a thread works for, and the
threads of their timers, RPC servers and executors have to know it too; Python 3.11 starts each with an empty context.
"""

from __future__ import annotations

import contextvars
import threading


def apply() -> None:
    """Patch threading.Thread; call before a service starts its threads."""
    start = threading.Thread.start

    def inheriting(self: threading.Thread) -> None:
        context, run = contextvars.copy_context(), self.run
        self.run = lambda: context.run(run)  # type: ignore[method-assign]
        start(self)

    threading.Thread.start = inheriting  # type: ignore[method-assign]
