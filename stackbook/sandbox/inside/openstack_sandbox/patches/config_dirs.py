"""Keeps oslo.config to the files it is given.

Why: it also searches ``~/.<project>``, ``~``, ``/etc/<project>`` and ``/etc``, for policy files even when the
configuration file is named. A real OpenStack's files on the user's machine must not leak into the sandbox.
"""

from __future__ import annotations


def apply() -> None:
    """Empty oslo.config's list of standard folders; the folders of the files given to it are still searched."""
    from oslo_config import cfg

    cfg._get_config_dirs = lambda project=None: []
