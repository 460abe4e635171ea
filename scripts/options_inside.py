"""Runs inside the services' environment: ``PYTHON options_inside.py json|ini PREFIX...`` prints what they know of their options.

PREFIX is the name of a namespace of oslo.config's generator, or the beginning of several. ``ini`` prints a sample file.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
import types
from collections.abc import Sequence
from importlib import metadata
from typing import Any

UNINSTALLED = ("googleapiclient", "oauth2client", "google_auth_httplib2", "google", "httplib2", "boto3", "botocore")
"""Libraries that cinder's list of options imports, for it imports every driver; their options don't need them."""


PROCESSORS = 9973
"""Said to be this machine's: bounds that follow from it are no bounds elsewhere, and known by it."""


class _Endless(type):
    """A class whose attributes are such classes."""

    def __getattr__(cls, name: str) -> Any:
        return _hollow(name)


class _Hollow(types.ModuleType):
    """A module that has whatever is asked for."""

    def __getattr__(self, name: str) -> Any:
        return _hollow(name)


def _hollow(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Endless(name, (Exception,), {"__call__": lambda self, *words, **_: words[0] if words else self})


class _Stand(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the libraries that are not installed."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        known = name.partition(".")[0] in UNINSTALLED
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Hollow(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing: it is empty."""


def main(form: str, prefixes: Sequence[str]) -> None:
    """Print the options as JSON, or as a sample file."""
    sys.meta_path.append(_Stand())
    os.cpu_count = lambda: PROCESSORS
    from oslo_config import generator

    there = sorted({entry.name for entry in metadata.entry_points(group="oslo.config.opts")})
    names = [name for name in there if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)]
    if form == "ini":
        generator.main([word for name in names for word in ("--namespace", name)])
        return
    conf: Any = {}
    data = generator._generate_machine_readable_data(generator._get_groups(generator._list_opts(names)), conf)  # noqa: SLF001 - its own command can't write all of cinder's defaults as JSON
    data |= {"processors": PROCESSORS, "auth": _auth(), "namespaces": names}
    print("\n=====")  # drivers print while they are imported
    json.dump(data, sys.stdout, default=str)


def _auth() -> list[str]:
    """The options of all ways to sign in."""
    from keystoneauth1 import loading

    plugins: dict[str, Any] = loading.get_available_plugin_loaders()
    options: list[Any] = [option for plugin in plugins.values() for option in plugin.get_options()]
    options += [*loading.get_auth_common_conf_options(), *loading.get_session_conf_options(), *loading.get_adapter_conf_options()]
    old = [
        name for option in options for attribute in ("deprecated", "deprecated_opts") for name in getattr(option, attribute, ())
    ]
    return sorted({option.name for option in [*options, *old]})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
