"""Gives each request to keystone its own validated token.

Why: keystone's AuthContextMiddleware keeps the token that it validates in an attribute of itself, one object for all
threads. Requests that run at once then act with each other's token: an admin is refused, and application credentials
fail with "unassigned role". (Found and settled here: the cache is not to blame, it happens without one.)
"""

from __future__ import annotations

import threading
from typing import Any


def apply() -> None:
    """Make the attribute ``token`` of the middleware local to the thread, and empty at the start of a request."""
    from keystone.server.flask.request_processing.middleware.auth_context import AuthContextMiddleware

    process_request = AuthContextMiddleware.process_request
    current = threading.local()

    def token(_self: Any) -> Any:
        return getattr(current, "token", None)

    def keep(_self: Any, value: Any) -> None:
        current.token = value

    def start_empty(self: Any, request: Any) -> Any:
        current.token = None
        return process_request(self, request)

    AuthContextMiddleware.token = property(token, keep)
    AuthContextMiddleware.process_request = start_empty
