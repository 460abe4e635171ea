"""Keeps stevedore's list of entry points beside the environment.

Why: reading the entry points of two hundred packages takes half a second in each process. stevedore keeps the list in
the user's ``~/.cache`` (not the sandbox's to write to), and not at all when Python lies below ``/tmp``.
"""

from __future__ import annotations

import os
import sys


def apply() -> None:
    """Let stevedore read and write its list below ``sys.prefix``."""
    from stevedore import _cache

    _cache._c = _cache.Cache(os.path.join(sys.prefix, "var", "entry-points"))
    _cache._c._disable_caching = False
