"""Lets oslo.messaging's in-process transport hand a message over at once.

Why: its listeners look for messages every 50 ms. That is 25 ms of waiting in each call on average, some five calls in a
port's way to ACTIVE, and a few hundred needless wake-ups a second. Nothing in it is neutron's own: any service on
``fake:///`` may apply it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any

_waiting: defaultdict[str, set[threading.Event]] = defaultdict(set)  # topic -> events of those who listen
_lock = threading.Lock()


def apply() -> None:
    """Patch the fake driver; call before the first listener is made."""
    from oslo_messaging._drivers import base, impl_fake

    listener, exchange = impl_fake.FakeListener, impl_fake.FakeExchange
    deliver, made, stop = exchange.deliver_message, listener.__init__, listener.stop

    def deliver_and_wake(self: Any, topic: str, *args: Any, **kwargs: Any) -> None:
        deliver(self, topic, *args, **kwargs)
        with _lock:
            for arrived in _waiting[topic]:
                arrived.set()

    def make(self: Any, exchange_manager: Any, targets: Any, pool: Any = None) -> None:
        self._arrived = threading.Event()
        with _lock:
            for target in targets:
                _waiting[target.topic].add(self._arrived)
        made(self, exchange_manager, targets, pool)

    def stop_and_wake(self: Any) -> None:
        stop(self)
        with _lock:
            for target in self._targets:
                _waiting[target.topic].discard(self._arrived)
        self._arrived.set()

    exchange.deliver_message = deliver_and_wake
    listener.__init__, listener.stop, listener.poll = make, stop_and_wake, base.batch_poll_helper(_poll)


def _poll(self: Any, timeout: float | None = None) -> Any:
    """The next message for this listener, or None after `timeout` seconds or when it was stopped."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while not self._stopped.is_set():
        self._arrived.clear()  # before looking, so that a message that comes right after is not slept over
        message = _next(self)
        left = None if deadline is None else deadline - time.monotonic()
        if message is not None or (left is not None and left <= 0):
            return message
        if not self._stopped.is_set():
            self._arrived.wait(left)
    return None


def _next(self: Any) -> Any:
    from oslo_messaging._drivers.impl_fake import FakeIncomingMessage

    for target in self._targets:
        exchange = self._exchange_manager.get_exchange(target.exchange)
        context, message, reply_queue, requeue = exchange.poll(target, self._pool)
        if message is not None:
            return FakeIncomingMessage(context, message, reply_queue, requeue)
    return None
