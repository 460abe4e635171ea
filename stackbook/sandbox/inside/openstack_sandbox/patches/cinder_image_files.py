"""Reads and writes image files in the calling thread, and writes zeros as holes.

Why: ``eventlet.tpool`` hands its results back through the event loop of the thread that used it first. With native
threads no such loop runs, and the second caller would wait forever. A downloaded image passes through the same place,
so here its runs of zeros become holes: a large, mostly empty disk takes neither its room nor its time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openstack_sandbox.cinder_files import SparseWriter


class Tpool:
    """Stands in for ``eventlet.tpool``."""

    @staticmethod
    def execute(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call `function` here and now."""
        return function(*arguments, **options)

    @staticmethod
    def Proxy(file: Any) -> Any:
        """A file being written, with holes for zeros; any other object as it is."""
        return SparseWriter(file) if file.writable() else file


def apply() -> None:
    """Patch ``cinder.image.image_utils``."""
    from cinder.image import image_utils

    image_utils.tpool = Tpool
