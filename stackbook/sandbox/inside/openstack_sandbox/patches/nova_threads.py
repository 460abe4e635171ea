"""Context variables follow into threads and executors.

Why: Python 3.11 starts each thread with an empty context, and nova does most of its work in threads; which unit it
works for (`nova_units.CURRENT`) would be lost there.
"""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


def apply() -> None:
    """Patch ``threading.Thread`` and the thread pool executors of the standard library and futurist."""
    import futurist

    _follow_into_threads()
    for executor in (ThreadPoolExecutor, futurist.ThreadPoolExecutor, futurist.SynchronousExecutor):
        _follow_into_work(executor)


def _follow_into_threads() -> None:
    start = threading.Thread.start

    def start_in_context(thread: threading.Thread) -> None:
        context, run = copy_context(), thread.run
        thread.run = lambda: context.run(run)  # type: ignore[method-assign]
        start(thread)

    threading.Thread.start = start_in_context  # type: ignore[assignment, method-assign]


def _follow_into_work(executor: type[Executor]) -> None:
    submit = executor.submit

    def submit_in_context(self: Any, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return submit(self, copy_context().run, function, *args, **kwargs)

    executor.submit = submit_in_context  # type: ignore[method-assign]
