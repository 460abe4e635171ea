"""Waiting for the cloud to settle, with a sign of life at least every two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from stackbook.errors import CloudFailed
from stackbook.ticker import Ticker

T = TypeVar("T")
PACE, SLOWEST, LATE = 0.4, 2.0, 0.1
"""Seconds between two questions at first and at last; between them a tenth of the time that went by: nobody waits much
longer for us than for the thing itself."""


def settled(poll: Callable[[], T | None], busy: Callable[[T], str], *, what: str, limit: float = 600) -> T | None:
    """Ask until the thing is gone (None) or `busy` has nothing to say about it; `busy` tells the state while it lasts.

    Raises CloudFailed after `limit` seconds.
    """
    begun = time.monotonic()
    with Ticker(what) as ticker:
        while (found := poll()) is not None and (state := busy(found)):
            if (gone_by := time.monotonic() - begun) > limit:
                raise CloudFailed(f"{what} is still {state} after {limit:g} s", hint="look at it on the site, then run again")
            ticker.tell(state)
            time.sleep(min(max(PACE, LATE * gone_by), SLOWEST))
        return found


def gone(poll: Callable[[], object | None], *, what: str, limit: float = 600) -> None:
    """Ask until the thing is gone; raises CloudFailed after `limit` seconds."""
    settled(poll, lambda _: "going", what=what, limit=limit)
