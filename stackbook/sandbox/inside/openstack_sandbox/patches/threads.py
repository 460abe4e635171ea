"""Hides eventlet and gives oslo.service its threading backend.

Why: importing eventlet takes half a second, and oslo.service and futurist do so only because it is installed. No
service that applies this patch runs on it.
"""

from __future__ import annotations

import sys


def apply() -> None:
    """Choose the backend; call before oslo.service, oslo.messaging or futurist is imported."""
    sys.modules["eventlet"] = None  # type: ignore[assignment]
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
