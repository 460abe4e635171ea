"""Tells neutron that its one process is the first of its API workers, and when it started.

Why: it finds out by files in the machine's temporary folder, named after the parent's process id. They are never
removed, so that a later sandbox with the same parent would find itself to be the second worker of an older start.
"""

from __future__ import annotations

import time


def apply() -> None:
    """Set what ``neutron.common.wsgi_utils`` would look up; call before neutron's plugins are loaded."""
    from neutron.common import wsgi_utils

    wsgi_utils._first_worker_result = True
    wsgi_utils._start_time = int(time.time())
