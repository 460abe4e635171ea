"""Cinder: API, scheduler and volume service in one process, volumes as sparse files below ``data/volumes``."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from openstack_sandbox import cinder_logs, frame
from openstack_sandbox.cinder_conf import cinder_conf
from openstack_sandbox.home import CONTROLLER, Home

PROJECT = "cinder"
_SCHEDULER_WAIT_S = 60
_VMWARE = ("oslo_vmware.api", "oslo_vmware.image_transfer", "oslo_vmware.rw_handles")
"""What os-brick imports, with a SOAP client and an XML parser, for volumes on vCenter."""


def patch() -> None:
    """Patch what cinder stands on; see `patches`."""
    os.environ["OS_CINDER_DISABLE_EVENTLET_PATCHING"] = "1"
    from openstack_sandbox.patches import (
        cinder_context,
        cinder_prlimit,
        cinder_unprivileged,
        config_dirs,
        lazy_imports,
        neutron_transport,
    )

    lazy_imports.apply(*_VMWARE)
    config_dirs.apply()
    cinder_context.apply()
    cinder_unprivileged.apply()
    cinder_prlimit.apply()
    frame.patch_sqlite()
    from cinder import monkey_patch

    monkey_patch.patch()  # by the environment: native threads
    neutron_transport.apply()  # imports oslo.messaging, which would else choose eventlet


def configure(home: Home) -> None:
    """Write cinder.conf, api-paste.ini, policy.yaml and resource_filters.json where they are absent."""
    etc = home.etc(PROJECT)
    frame.write(etc / "cinder.conf", cinder_conf(home, frame.database_url(home, PROJECT)))
    frame.write(etc / "policy.yaml", "# Rules that differ from cinder's defaults.\n")
    for name in ("api-paste.ini", "resource_filters.json"):
        frame.write(etc / name, (Path(sys.prefix) / "etc" / PROJECT / name).read_text())


def prepare(home: Home) -> None:
    """Make the database with cinder's own migrations, and the volume type ``lvm``."""
    _read_configuration(home)
    from cinder import context
    from cinder.db import migration
    from cinder.volume import volume_types

    migration.db_sync()
    volume_types.create(context.get_admin_context(), "lvm", {"volume_backend_name": "lvm"})


def adopt(home: Home) -> None:
    """Nothing in cinder's fresh database depends on its home; volumes made later belong to it."""


def serve(home: Home) -> None:
    """Serve cinder-api, cinder-scheduler and cinder-volume until the process is told to stop."""
    _make_folders(home)
    _read_configuration(home)
    _patch_cinder()
    application = _load_api()
    _start_services()
    frame.wsgi(application, home.port(PROJECT), threads=8, access_log="cinder.api.wsgi.server")
    frame.process_units(home, PROJECT, {CONTROLLER: cinder_logs.SERVICES})
    frame.ready(home, PROJECT)
    frame.wait()


def _make_folders(home: Home) -> None:
    lib = home.host() / "var" / "lib" / PROJECT
    shutil.rmtree(lib / "conversion", ignore_errors=True)  # images that a killed process left half converted
    for folder in (lib / "conversion", lib / "tmp", lib / "volumes", home.data("volumes")):
        folder.mkdir(parents=True, exist_ok=True)


def _read_configuration(home: Home) -> None:
    from cinder import i18n

    i18n.enable_lazy()
    from cinder import objects, version
    from cinder.common import config  # registers the options
    from oslo_config import cfg

    objects.register_all()
    files = [str(home.etc(PROJECT) / "cinder.conf")]
    cfg.CONF([], project=PROJECT, version=version.version_string(), default_config_files=files)
    config.set_middleware_defaults()
    cinder_logs.setup(home)


def _patch_cinder() -> None:
    from openstack_sandbox.patches import (
        cinder_image_files,
        cinder_lvm,
        cinder_service_id,
        cinder_unprivileged,
        cinder_upload_pieces,
        cinder_without_qemu,
    )

    cinder_unprivileged.call_directly()
    cinder_service_id.apply()
    cinder_image_files.apply()
    cinder_upload_pieces.apply()
    cinder_without_qemu.apply()
    cinder_lvm.apply()


def _load_api() -> Any:
    import os_brick
    from cinder import coordination, policy, rpc
    from oslo_config import cfg
    from oslo_service import wsgi

    os_brick.setup(cfg.CONF)
    coordination.COORDINATOR.start()
    rpc.init(cfg.CONF)
    policy.init()  # not safe to leave to the first requests, which come at once
    return wsgi.Loader(cfg.CONF).load_app(name="osapi_volume")


def _start_services() -> None:
    """Start the scheduler, then a volume service per backend, and wait until the scheduler knows them.

    The scheduler's start blocks until a backend has reported, and a report sent before its RPC server listens is lost.
    """
    from oslo_config import cfg

    scheduler = _service(cinder_logs.SCHEDULER, cfg.CONF.host)
    starting = threading.Thread(target=scheduler.start, name="cinder-scheduler", daemon=True)
    with cinder_logs.working_for(cinder_logs.SCHEDULER):
        starting.start()
    _wait_until(lambda: scheduler.rpcserver is not None and scheduler.rpcserver.listener is not None)
    volumes = [_start_backend(name, cfg.CONF.host) for name in cfg.CONF.enabled_backends or ()]
    _await_reports(scheduler, {volume.host for volume in volumes if volume.manager.driver.initialized})


def _start_backend(name: str, host: str) -> Any:
    """Start the volume service of the backend `name`."""
    volume = _service(cinder_logs.VOLUME, f"{host}@{name}", service_name=name, coordination=True)
    with cinder_logs.working_for(cinder_logs.VOLUME):
        volume.start()
    return volume


def _await_reports(scheduler: Any, backends: set[str]) -> None:
    """Wait until each of `backends` has reported its capacity, and let the scheduler take notice.

    A report is two messages. When two threads handle them in the wrong order, the scheduler's start overlooks it, and
    waits a minute before it sends its first heartbeat.
    """
    from cinder import context

    known = scheduler.manager.driver.host_manager
    _wait_until(lambda: backends <= set(known.service_states))
    with cinder_logs.working_for(cinder_logs.SCHEDULER):
        known.get_all_backend_states(context.get_admin_context())


def _service(binary: str, host: str, **options: Any) -> Any:
    from cinder import service

    with cinder_logs.working_for(binary):
        return service.Service.create(host=host, binary=binary, **options)


def _wait_until(condition: Any) -> None:
    end = time.monotonic() + _SCHEDULER_WAIT_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
