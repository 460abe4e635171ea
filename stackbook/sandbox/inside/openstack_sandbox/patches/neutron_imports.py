"""Hides eventlet and pygments from neutron's process.

Why: neutron runs on threads. futurist imports eventlet, and mako imports pygments, only because they are installed;
together that is half a second of each start. (`patches.threads` does not do here: oslo.service's ``wsgi`` module, from
which neutron needs the paste loader, imports eventlet for a server class that neutron no longer uses.)
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

HIDDEN = frozenset({"eventlet", "pygments"})


def apply() -> None:
    """Make imports of the hidden packages fail; call before any oslo library is imported."""
    from oslo_service import backend

    sys.meta_path.insert(0, _Hide())
    backend.init_backend(backend.BackendType.THREADING)
    _import_oslo_wsgi()


class _Hide(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def _import_oslo_wsgi() -> None:
    """Import ``oslo_service.wsgi`` with an empty shell in eventlet's place."""
    eventlet, server = ModuleType("eventlet"), ModuleType("eventlet.wsgi")
    eventlet.wsgi, server.HttpProtocol = server, None  # type: ignore[attr-defined]
    sys.modules.update({"eventlet": eventlet, "eventlet.wsgi": server})
    import oslo_service.wsgi  # noqa: F401

    del sys.modules["eventlet"], sys.modules["eventlet.wsgi"]
