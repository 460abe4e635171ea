"""Nova's databases and its two cells: cell0 for servers that found no host, cell1 for all others."""

from __future__ import annotations

import sqlite3

from openstack_sandbox import frame
from openstack_sandbox.home import Home

CELL0 = "00000000-0000-0000-0000-000000000000"  # nova knows cell0 by this id
CELL1 = "3f0b6d2c-6c1c-4d0e-9f55-2b7f0f9f0c01"


def make_databases(home: Home) -> None:
    """Make the three databases by nova's own migrations, and map the cells."""
    from nova import context, objects
    from nova.db import migration

    objects.register_all()
    migration.db_sync(database="api")
    admin = context.get_admin_context()
    for cell in (_cell0(home), _cell1(home)):
        mapping = objects.CellMapping(admin, **cell)
        mapping.create()
        with context.target_cell(admin, mapping) as targeted:
            migration.db_sync(database="main", context=targeted)


def point_to(home: Home) -> None:
    """Let the cells' mappings name the databases of this home."""
    database = sqlite3.connect(home.database("nova_api"), timeout=60)
    with database:
        for cell in (_cell0(home), _cell1(home)):
            database.execute(
                "UPDATE cell_mappings SET database_connection = ?, transport_url = ? WHERE uuid = ?",
                (cell["database_connection"], cell["transport_url"], cell["uuid"]),
            )
    database.close()


def map_hosts() -> None:
    """Map compute hosts that are new, as ``nova-manage cell_v2 discover_hosts`` does."""
    from nova import context
    from nova.objects import host_mapping

    host_mapping.discover_hosts(context.get_admin_context())


def _cell0(home: Home) -> dict[str, str]:
    return _cell(home, CELL0, "cell0", "none:///", "nova_cell0")


def _cell1(home: Home) -> dict[str, str]:
    return _cell(home, CELL1, "cell1", "fake:///", "nova")


def _cell(home: Home, uuid: str, name: str, transport: str, database: str) -> dict[str, str]:
    url = frame.database_url(home, database)
    return {"uuid": uuid, "name": name, "transport_url": transport, "database_connection": url}
