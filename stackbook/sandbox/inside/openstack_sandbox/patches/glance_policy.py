"""Makes glance read its policy when an enforcer is made, not at the first request.

Why: oslo.policy loads its rules without a lock. Of the first requests that come at once to a glance that has just been
started, some find half a policy and are refused with 403.
"""

from __future__ import annotations

from typing import Any


def apply() -> None:
    """Patch ``glance.api.policy``; call before the application is made."""
    from glance.api import policy

    make = policy.Enforcer.__init__

    def loaded(self: Any, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self.load_rules()

    policy.Enforcer.__init__ = loaded
