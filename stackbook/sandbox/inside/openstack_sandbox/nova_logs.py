"""Nova's log files: each line in the file of the service and host that wrote it."""

from __future__ import annotations

import logging
from pathlib import Path

from openstack_sandbox import clock, journal
from openstack_sandbox.nova_units import CURRENT, Unit, run_as


class _FileOfUnit(logging.Handler):
    """Hands each record to the log file of the current unit, or to that of `common` outside of any."""

    def __init__(self, common: Unit) -> None:
        super().__init__()
        self._common = common

    def emit(self, record: logging.LogRecord) -> None:
        unit = CURRENT.get() or self._common
        if unit.log is not None and record.levelno >= unit.log.level:
            unit.log.handle(record)


def set_up(common: Unit) -> None:
    """Send every record where it belongs, at oslo.log's usual levels; `common` gets what has no unit."""
    from oslo_config import cfg

    root = logging.getLogger()
    root.handlers[:] = [_FileOfUnit(common)]
    root.setLevel(logging.INFO)
    for pair in cfg.CONF.default_log_levels:
        name, _, level = pair.partition("=")
        logging.getLogger(name).setLevel(level)
    # It reports each cache driver whose library is not installed as an error; none of them is used.
    logging.getLogger("stevedore.extension").setLevel(logging.CRITICAL)


def open_file(unit: Unit) -> None:
    """Open ``<log_dir>/<service>.log`` for `unit`, at the level that its nova.conf asks for."""
    from nova import version
    from oslo_config import cfg
    from oslo_log import formatters

    path = Path(run_as(unit, lambda: cfg.CONF.log_dir)) / f"{unit.service}.log"
    root = unit.config.parents[2]
    file = journal.LogFile(path, root)
    file.setLevel(logging.DEBUG if run_as(unit, lambda: cfg.CONF.debug) else logging.INFO)
    form = formatters.ContextFormatter(
        project="nova", version=version.version_string(), config=cfg.CONF, datefmt=cfg.CONF.log_date_format
    )
    file.setFormatter(clock.formatter(form, root))
    logging.getLogger().setLevel(min(logging.getLogger().level, file.level))
    unit.log = file
