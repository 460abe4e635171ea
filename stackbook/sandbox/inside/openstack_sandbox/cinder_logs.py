"""One log file per cinder service, although all three share a process.

A context variable says for which service a thread works; threads inherit it (see `patches.cinder_context`). The API's
threads set nothing: what belongs to nobody is the API's.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import logging.handlers
from collections.abc import Iterator

from openstack_sandbox.home import Home

API, SCHEDULER, VOLUME = SERVICES = ("cinder-api", "cinder-scheduler", "cinder-volume")

current: contextvars.ContextVar[str] = contextvars.ContextVar("cinder_service", default=API)
"""The service for which the present thread works."""


@contextlib.contextmanager
def working_for(service: str) -> Iterator[None]:
    """Within the block, log lines and heartbeat ids are those of `service`; so in threads started there."""
    token = current.set(service)
    try:
        yield
    finally:
        current.reset(token)


def setup(home: Home) -> None:
    """Set up oslo.log and send each service's lines to its own file."""
    from oslo_config import cfg
    from oslo_log import log

    cfg.CONF.set_override("log_file", str(home.log("cinder", API)))
    log.setup(cfg.CONF, "cinder")
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.FileHandler):
            _divide(root, handler, home)


def _divide(root: logging.Logger, handler: logging.FileHandler, home: Home) -> None:
    """Restrict oslo.log's `handler` to the API's lines and add one like it for each other service."""
    handler.addFilter(_only(API))
    for service in (SCHEDULER, VOLUME):
        other = logging.handlers.WatchedFileHandler(home.log("cinder", service))
        other.setFormatter(handler.formatter)
        other.addFilter(_only(service))
        root.addHandler(other)


def _only(service: str) -> logging.Filter:
    class Only(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            return current.get() == service

    return Only()
