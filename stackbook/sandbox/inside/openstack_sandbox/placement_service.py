"""placement: which resources each host has, and who holds them."""

from __future__ import annotations

import os
from typing import Any

from openstack_sandbox import frame
from openstack_sandbox.home import CONTROLLER, Home
from openstack_sandbox.patches import config_dirs
from openstack_sandbox.placement_conf import placement_conf


def patch() -> None:
    """Prepare SQLite and oslo.config."""
    config_dirs.apply()
    frame.patch_sqlite()


def configure(home: Home) -> None:
    """Write ``/etc/placement/placement.conf`` on the controller."""
    frame.write(home.etc("placement") / "placement.conf", placement_conf(home))


def prepare(home: Home) -> None:
    """Make the database, with the standard traits and resource classes in it."""
    from placement import db_api, deploy, wsgi
    from placement.db.sqlalchemy import migration

    config = _config(home)
    wsgi.setup_logging(config)
    db_api.configure(config)
    migration.upgrade("head")
    deploy.update_database(config)


def adopt(home: Home) -> None:
    """Do nothing: no path, port or password is in placement's database."""


def serve(home: Home) -> None:
    """Serve the placement API until told to stop."""
    from placement import wsgi

    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(home.etc("placement"))
    app = wsgi.init_application()
    frame.wsgi(app, home.port("placement"), threads=8, access_log=None)  # placement writes its own
    frame.process_units(home, "placement", {CONTROLLER: ["placement-api"]})
    frame.ready(home, "placement")
    frame.wait()


def _config(home: Home) -> Any:
    from oslo_config import cfg
    from placement import wsgi

    config = cfg.ConfigOpts()
    wsgi._parse_args(config, [], default_config_files=[str(home.etc("placement") / "placement.conf")])
    return config
