"""Delays the execution of named modules until something in them is used.

Why: some services import, at every start, large packages for features that the sandbox has not switched on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


def apply(*modules: str) -> None:
    """Import each of `modules` (full names) lazily; ``from module import name`` executes it at once, as ever."""
    sys.meta_path.insert(0, _Finder(frozenset(modules)))


class _Finder(MetaPathFinder):
    def __init__(self, modules: frozenset[str]) -> None:
        self._modules = modules

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in self._modules:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
