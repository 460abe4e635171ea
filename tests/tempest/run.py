"""Runs Tempest against a sandbox of its own: ``make tempest``, or ``python tests/tempest/run.py --help``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from stackbook import sandbox
from tests.tempest import session
from tests.tempest.stream import SERVICES, Counts, Result

ENOUGH = 0.98
EVERY_S = 15


def main() -> int:
    """Carry out the command line; 0 when enough of what ran has passed."""
    options = _options()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(130))  # by way of all that clears up
    made = options.sandbox not in sandbox.names()
    sandbox.up(options.sandbox)
    try:
        counts, seconds = _run(options)
    finally:
        if not options.keep:
            (sandbox.reset if made else sandbox.down)(options.sandbox)
    return _told(counts, seconds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("services", nargs="*", metavar="SERVICE", help=f"of {', '.join(SERVICES)} (all of them)")
    parser.add_argument("--smoke", action="store_true", help="the smoke set only")
    parser.add_argument("--regex", help="the tests whose names match")
    parser.add_argument("--workers", type=int, default=session.WORKERS)
    parser.add_argument("--sandbox", default="tempest", help="its name (tempest); removed afterwards if it was not there")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox up")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "tempest", help="for Tempest's logs")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> tuple[Counts, float]:
    began = time.monotonic()
    progress = _Progress()
    with session.opened(options.folder.absolute(), options.sandbox) as opened:
        chosen = session.SMOKE if options.smoke else session.pattern(options.services or SERVICES)
        return opened.run(options.regex or chosen, progress.tell, options.workers), time.monotonic() - began


def _told(counts: Counts, seconds: float) -> int:
    print("\nskipped, by reason:", *counts.skips(), sep="\n")
    print(f"\nnot run: {len(session.exclusions())} expressions in {session.EXCLUDED.relative_to(ROOT)}")
    print("", *counts.table(), sep="\n")
    print(*(f"FAILED {name}" for name in counts.failed), sep="\n")
    print(f"{counts.share:.2%} passed of what ran, in {seconds:.0f} s (at least {ENOUGH:.0%} must)")
    return 0 if counts.share >= ENOUGH else 1


class _Progress:
    """A line now and then, and one for each failure."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._done = 0

    def tell(self, result: Result) -> None:
        self._done += 1
        now = time.monotonic()
        if result.outcome == "FAILED":
            print(f"FAILED {result.name}", flush=True)
        if now - self._last >= EVERY_S:
            self._last = now
            print(f"{self._done} tests so far ({now - self._began:.0f} s), now {result.service}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
