"""Serves a WSGI application on loopback, with one access log line per request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from openstack_sandbox import lifecycle
from openstack_sandbox.patches.wsgi_input import KeptOpen

KEEP_ALIVE_S = 75
"""An idle connection lives this long: longer than clients keep theirs, so that none is cut while a request is under way."""

DRAIN_S = 0.3
"""Requests under way when the process is told to stop get this long to finish."""


def wsgi(app: Any, port: int, threads: int = 10, access_log: str | None = __name__) -> None:
    """Serve `app` on 127.0.0.1:`port` in a thread of its own.

    `access_log` names the logger of the access lines, which end up where the service's oslo.log configuration sends
    them; None: the application writes its own. Raises OSError when the port is taken.
    """
    from cheroot.wsgi import Server

    layer = _Layer(app, access_log)
    server = Server(("127.0.0.1", port), layer, numthreads=threads, max=threads, request_queue_size=128)
    server.timeout = KEEP_ALIVE_S
    server.keep_alive_conn_limit = 256
    server.error_log = layer.server_error
    server.prepare()
    threading.Thread(target=server.serve, name=f"wsgi-{port}", daemon=True).start()
    lifecycle.on_stop(layer.drain)


class _Layer:
    """Between cheroot and the application: a clean request context, an unclosable body, a line in the log."""

    def __init__(self, app: Any, access_log: str | None) -> None:
        from oslo_log import log

        self._app = app
        self._log = log.getLogger(access_log or __name__)
        self._access = access_log is not None
        self._active = 0
        self._idle = threading.Condition()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        _forget_context()
        environ["wsgi.input"] = KeptOpen(environ["wsgi.input"])
        request = _Request(self, environ, start_response)
        self._count(1)
        try:
            request.body = self._app(environ, request.start_response)
        except BaseException:
            request.close()
            raise
        return request

    def ended(self, request: _Request) -> None:
        """Take leave of `request`, with an access line under the request id of the context it leaves behind."""
        if self._access:
            self._write(request)
        self._count(-1)

    def _write(self, request: _Request) -> None:
        environ = request.environ
        path = environ.get("REQUEST_URI") or environ["PATH_INFO"]
        took = time.monotonic() - request.started
        self._log.info(
            '%s "%s %s %s" status: %s len: %d time: %.7f',
            environ.get("REMOTE_ADDR") or "-", environ["REQUEST_METHOD"], path, environ["SERVER_PROTOCOL"],
            request.status, request.length, took,
        )  # fmt: skip

    def server_error(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Take cheroot's own messages into the service's log."""
        self._log.log(level, msg, exc_info=traceback)

    def drain(self) -> None:
        """Wait until no request is under way, for at most DRAIN_S."""
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, DRAIN_S)

    def _count(self, step: int) -> None:
        with self._idle:
            self._active += step
            self._idle.notify_all()


class _Request:
    """The response of one request, counted while it is sent."""

    def __init__(self, layer: _Layer, environ: dict[str, Any], start_response: Any) -> None:
        self.environ = environ
        self.body: Iterable[bytes] = ()
        self.status = "500"
        self.length = 0
        self.started = time.monotonic()
        self._layer = layer
        self._start_response = start_response

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status = status.split(" ", 1)[0]
        return self._start_response(status, headers, exc_info)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.body:
            self.length += len(chunk)
            yield chunk

    def close(self) -> None:
        try:
            close = getattr(self.body, "close", None)
            if close is not None:
                close()
        finally:
            self._layer.ended(self)


def _forget_context() -> None:
    # Worker threads are reused. A context left by the last request would lend its request id, and in keystone its
    # cached roles, to a request that has not made its own yet.
    from oslo_context import context

    context._request_store.__dict__.pop("context", None)
