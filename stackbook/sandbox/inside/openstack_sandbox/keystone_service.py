"""keystone: identity, the service catalogue and the users that the other services log in as."""

from __future__ import annotations

import sqlite3
from typing import Any

from openstack_sandbox import frame
from openstack_sandbox.home import CONTROLLER, Home
from openstack_sandbox.keystone_conf import HASH_ROUNDS, key_folder, keystone_conf
from openstack_sandbox.patches import bounded_cache, config_dirs, keystone_request_token, lazy_imports, threads

REGION = "RegionOne"
SERVICE_USERS = ("glance", "nova", "neutron", "cinder", "placement")
SERVICES = {
    "identity": ("keystone", "keystone", "/v3"),
    "image": ("glance", "glance", ""),
    "placement": ("placement", "placement", ""),
    "network": ("neutron", "neutron", ""),
    "volumev3": ("cinderv3", "cinder", "/v3"),
    "compute": ("nova", "nova", "/v2.1"),
}
"""By type in the catalogue: name, project of the sandbox, path of the endpoint."""


def patch() -> None:
    """Prepare SQLite and oslo.config, and leave out what makes starting slow."""
    bounded_cache.apply()
    config_dirs.apply()
    lazy_imports.apply("keystone.federation.idp")  # SAML, and the XML schemas that it reads in
    threads.apply()
    frame.patch_sqlite()


def configure(home: Home) -> None:
    """Write ``/etc/keystone/keystone.conf`` on the controller."""
    frame.write(home.etc("keystone") / "keystone.conf", keystone_conf(home))


def prepare(home: Home) -> None:
    """Make the database, with admin, the service users and the catalogue in it."""
    from keystone.common.sql import upgrades

    _load(home)
    _enforce_foreign_keys()
    upgrades.offline_sync_database_to_version()
    _make_keys(home)  # no user can be made without the drivers, which read the keys
    project_id = _bootstrap(home)
    _make_service_users(home, project_id)
    _make_catalogue(home)


def adopt(home: Home) -> None:
    """Give this home its own keys, passwords and endpoint addresses."""
    _make_keys(home)
    with sqlite3.connect(f"{home.database('keystone').as_uri()}?mode=rw", uri=True, timeout=60) as database:
        _adopt_passwords(database, {"admin": home.admin_password} | dict.fromkeys(SERVICE_USERS, home.service_password))
        _adopt_endpoints(database, home)
    database.close()


def serve(home: Home) -> None:
    """Serve the identity API until told to stop."""
    from keystone.server.flask import core

    keystone_request_token.apply()
    _enforce_foreign_keys()
    app = core.initialize_application("public", config_files=[str(home.etc("keystone") / "keystone.conf")])
    _load_policy()
    frame.wsgi(app, home.port("keystone"), threads=8, access_log="keystone.wsgi")
    frame.process_units(home, "keystone", {CONTROLLER: ["keystone"]})
    frame.ready(home, "keystone")
    frame.wait()


def _load(home: Home) -> None:
    import keystone.server

    keystone.server.configure(config_files=[str(home.etc("keystone") / "keystone.conf")])


def _enforce_foreign_keys() -> None:
    """Let SQLite delete the roles of a deleted application credential; its number is given away again."""
    from keystone.common import sql

    sql.enable_sqlite_foreign_key()


def _load_policy() -> None:
    """Load the policy before requests come: the first ones at once would find it half loaded, and be refused."""
    from keystone.common.rbac_enforcer.enforcer import RBACEnforcer

    RBACEnforcer.suppress_deprecation_warnings = True  # as keystone does when a request is first
    RBACEnforcer()._enforcer.load_rules()


def _make_keys(home: Home) -> None:
    """Fill the key repositories that are empty: ``0`` is the staged key, ``1`` the primary one."""
    import base64
    import os

    for kind in ("fernet", "credential"):
        folder = key_folder(home, kind)
        folder.mkdir(mode=0o700, exist_ok=True)
        for name in ("0", "1"):
            frame.write(folder / name, base64.urlsafe_b64encode(os.urandom(32)).decode())


def _bootstrap(home: Home) -> str:
    """Do what ``keystone-manage bootstrap`` does; return the id of the project ``service``."""
    from keystone.cmd.bootstrap import PROVIDERS, Bootstrapper

    address = home.url("keystone", "/v3")
    bootstrapper: Any = Bootstrapper()
    bootstrapper.admin_username, bootstrapper.admin_password = "admin", home.admin_password
    bootstrapper.project_name = bootstrapper.admin_role_name = "admin"
    bootstrapper.region_id, bootstrapper.service_name = REGION, "keystone"
    bootstrapper.public_url = bootstrapper.internal_url = bootstrapper.admin_url = address
    bootstrapper.immutable_roles = True
    bootstrapper.bootstrap()
    project = {"id": _new_id(), "name": "service", "domain_id": "default", "enabled": True, "description": "Services"}
    PROVIDERS.resource_api.create_project(project["id"], project)
    return str(project["id"])


def _make_service_users(home: Home, project_id: str) -> None:
    from keystone.cmd.bootstrap import PROVIDERS

    roles = {role["name"]: role["id"] for role in PROVIDERS.role_api.list_roles()}
    for name in SERVICE_USERS:
        user = PROVIDERS.identity_api.create_user(
            {"name": name, "password": home.service_password, "domain_id": "default", "enabled": True}
        )
        for role in ("admin", "service"):
            PROVIDERS.assignment_api.add_role_to_user_and_project(user["id"], project_id, roles[role])


def _make_catalogue(home: Home) -> None:
    from keystone.cmd.bootstrap import PROVIDERS

    for kind, (name, project, path) in SERVICES.items():
        if kind == "identity":
            continue  # made by the bootstrap
        service: dict[str, object] = {"id": _new_id(), "name": name, "type": kind, "enabled": True}
        PROVIDERS.catalog_api.create_service(service["id"], service)
        for interface in ("public", "internal", "admin"):
            endpoint: dict[str, object] = {"id": _new_id(), "interface": interface, "url": home.url(project, path)}
            endpoint |= {"service_id": service["id"], "region_id": REGION, "enabled": True}
            PROVIDERS.catalog_api.create_endpoint(endpoint["id"], endpoint)


def _adopt_passwords(database: sqlite3.Connection, passwords: dict[str, str]) -> None:
    """Set the passwords that differ, straight in the database: loading all of keystone for it would take a second."""
    from keystone.common.password_hashers.pbkdf2 import Sha512

    rows = database.execute(
        "SELECT password.id, local_user.name, password_hash FROM password JOIN local_user"
        " ON local_user.id = local_user_id WHERE domain_id = 'default' AND expires_at IS NULL"
    ).fetchall()
    for row, name, old in rows:
        if name in passwords and not Sha512.verify(passwords[name].encode(), old):
            new = Sha512.hash(passwords[name].encode(), rounds=HASH_ROUNDS)
            database.execute("UPDATE password SET password_hash = ? WHERE id = ?", (new, row))


def _adopt_endpoints(database: sqlite3.Connection, home: Home) -> None:
    for kind, (_name, project, path) in SERVICES.items():
        database.execute(
            "UPDATE endpoint SET url = ? WHERE service_id IN (SELECT id FROM service WHERE type = ?) AND region_id = ?",
            (home.url(project, path), kind, REGION),
        )


def _new_id() -> str:
    import uuid

    return uuid.uuid4().hex
