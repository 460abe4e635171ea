"""Neutron's database for a template: tables from the models, since its migrations do not run on SQLite."""

from __future__ import annotations

from typing import Any

from openstack_sandbox.home import Home


def make(home: Home) -> None:
    """Create all tables, the rows that migrations would have added, and the mark of the newest migrations."""
    from openstack_sandbox import neutron_server

    neutron_server.read_configuration(home)
    from neutron.db.migration.models import head
    from neutron_lib.db import api as db_api

    engine = db_api.CONTEXT_WRITER.get_engine()
    head.get_metadata().create_all(engine)
    _add_default_security_group_rules()
    _stamp(engine)


def _add_default_security_group_rules() -> None:
    """Add the rules that every new security group starts with; without them, groups would let nothing out."""
    from neutron.objects import securitygroup_default_rules
    from neutron_lib import constants, context
    from neutron_lib.db import api as db_api
    from oslo_utils import uuidutils

    admin = context.get_admin_context()
    ways = ((constants.EGRESS_DIRECTION, None, True), (constants.INGRESS_DIRECTION, "PARENT", False))
    with db_api.CONTEXT_WRITER.using(admin):
        for direction, remote_group, others in ways:
            for ethertype in (constants.IPv4, constants.IPv6):
                securitygroup_default_rules.SecurityGroupDefaultRule(
                    admin,
                    id=uuidutils.generate_uuid(),
                    direction=direction,
                    ethertype=ethertype,
                    remote_group_id=remote_group,
                    used_in_default_sg=True,
                    used_in_non_default_sg=others,
                    description=f"Legacy default SG rule for {direction} traffic",
                ).create()


def _stamp(engine: Any) -> None:
    """Record the newest migrations as done, which ``neutron-db-manage current`` and the upgrade check read."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from neutron.db.migration import cli

    with engine.begin() as connection:
        migrations = MigrationContext.configure(connection)
        for configuration in cli.get_alembic_configs():
            migrations.stamp(ScriptDirectory.from_config(configuration), "heads")
