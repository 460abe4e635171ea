"""Glance: the image service, with a file store below ``data/images``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from openstack_sandbox import frame
from openstack_sandbox.glance_conf import glance_api_conf
from openstack_sandbox.home import CONTROLLER, Home

PROJECT = "glance"


def patch() -> None:
    """Patch what glance stands on; see `patches`."""
    from openstack_sandbox.patches import config_dirs, glance_policy, glance_stores, glance_zeros, lazy_imports, threads

    threads.apply()
    lazy_imports.apply("oslo_limit.limit")  # quotas kept by keystone, and with them all of openstacksdk
    config_dirs.apply()
    glance_policy.apply()
    glance_stores.apply()
    glance_zeros.apply()
    frame.patch_sqlite()


def configure(home: Home) -> None:
    """Write glance-api.conf, glance-api-paste.ini and policy.yaml where they are absent."""
    etc = home.etc(PROJECT)
    frame.write(etc / "glance-api.conf", glance_api_conf(home, frame.database_url(home, PROJECT)))
    frame.write(etc / "glance-api-paste.ini", _shipped("glance-api-paste.ini").read_text())
    frame.write(etc / "policy.yaml", "# Rules that differ from glance's defaults.\n")


def prepare(home: Home) -> None:
    """Make the database with glance's own migrations and load the metadata definitions."""
    from glance.cmd.manage import DbCommands  # registers options: must come before the configuration is read

    _read_configuration(home)
    commands = DbCommands()
    commands.sync()
    commands.load_metadefs(path=str(_shipped("metadefs")))


def adopt(home: Home) -> None:
    """Nothing in glance's fresh database depends on its home; images made later belong to it."""


def serve(home: Home) -> None:
    """Serve glance-api until the process is told to stop."""
    os.environ["OS_GLANCE_CONFIG_DIR"] = str(home.etc(PROJECT))
    _make_folders(home)
    from glance.common import wsgi_app

    frame.wsgi(wsgi_app.init_app(), home.port(PROJECT), threads=8, access_log="glance.wsgi.server")
    frame.process_units(home, PROJECT, {CONTROLLER: ["glance-api"]})
    frame.ready(home, PROJECT)
    frame.wait()


def _shipped(name: str) -> Path:
    """A file or folder that glance's package installs below the environment's etc/glance."""
    return Path(sys.prefix) / "etc" / PROJECT / name


def _read_configuration(home: Home) -> None:
    from glance.common import config
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    config.set_config_defaults()
    files = [str(home.etc(PROJECT) / "glance-api.conf")]
    cfg.CONF([], project=PROJECT, prog="glance-manage", default_config_files=files)
    log.setup(cfg.CONF, PROJECT)


def _make_folders(home: Home) -> None:
    for name in ("images", "staging", "tasks"):
        home.data(name)
    (home.host() / "var" / "lib" / PROJECT / "tmp").mkdir(parents=True, exist_ok=True)
