"""Each unit is answered from the nova.conf of its own host, as it was when the unit started.

Why: nova knows one ``CONF`` per process and reads ``CONF.host`` in some thirty places; here controller1, compute1 and
compute2 share the process.
"""

from __future__ import annotations

from typing import Any

from openstack_sandbox.nova_units import CURRENT, Unit

OF_THE_PROCESS = ("database", "api_database")
"""Groups read from the controller's file for all: the units reach the databases without a conductor in between."""


def apply() -> None:
    """Patch oslo.config's look-up of a value; overrides set in code still come first."""
    from oslo_config import cfg

    get = cfg.ConfigOpts._get

    def get_for_unit(self: Any, name: str, group: Any = None, namespace: Any = None) -> Any:
        unit = CURRENT.get()
        if unit is None or unit.namespace is None or namespace is not None or self is not cfg.CONF:
            return get(self, name, group, namespace)
        key = (group.name if isinstance(group, cfg.OptGroup) else group, name)
        if key[0] in OF_THE_PROCESS:
            return get(self, name, group)
        if key not in unit.values:
            unit.values[key] = self._do_get(name, group, unit.namespace)[0]
        return unit.values[key]

    cfg.ConfigOpts._get = get_for_unit  # type: ignore[method-assign]


def read(unit: Unit) -> None:
    """Read the configuration file of `unit` afresh; raises oslo.config's errors when it is missing or malformed."""
    from oslo_config import cfg

    namespace = cfg._Namespace(cfg.CONF)
    cfg.ConfigParser._parse_file(str(unit.config), namespace)
    if namespace._files_not_found or namespace._files_permission_denied:
        raise cfg.ConfigFilesNotFoundError([str(unit.config)])
    namespace.config_file = [str(unit.config)]
    unit.namespace = namespace
    unit.values.clear()
