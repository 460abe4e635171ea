"""What health says about hosts."""

from __future__ import annotations

from stackbook.health import log_rates
from stackbook.logs.asking import Answers

from .made_up import Logs, made_up


def test_a_wrong_clock_is_an_error(logs: Logs) -> None:
    """A host whose clock is two hours behind is among the worst; the others are not named."""
    date = logs.folder / "compute1" / "usr" / "bin" / "date"
    date.parent.mkdir(parents=True)
    date.write_text('#!/bin/sh\nexec /bin/date -d "2 hours ago" "$@"\n')
    date.chmod(0o755)
    site = made_up(logs)
    (row,) = log_rates(site, Answers(None))
    assert (row["level"], row["subject"]) == ("error", "compute1")
    assert row["summary"].startswith("the clock of compute1 is 2:00:0")
