"""Lets glance load only the store drivers that its configuration names.

Why: to list their options, ``glance_store`` imports every driver it ships, and with the one for cinder come os-brick,
VMware's SOAP client and an XML parser: a third of glance's start and some 20 MB, for stores that nobody configured.
"""

from __future__ import annotations

from types import SimpleNamespace


def apply() -> None:
    """Patch ``glance_store.multi_backend``; it asks after the configuration has been read."""
    from glance_store import multi_backend
    from oslo_config import cfg

    def named(_namespace: str) -> list[SimpleNamespace]:
        kinds = {"file"} | set(cfg.CONF.enabled_backends.values())
        return [SimpleNamespace(name=kind) for kind in sorted(kinds)]

    multi_backend.extension = SimpleNamespace(ExtensionManager=named)
