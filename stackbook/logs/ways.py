"""How ripgrep takes in whole files: mapped or read, by what costs less on this host.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.

Neither is always better. Several ids in 2 GB took 1.4 times what egrep takes mapped and 0.7 read on one machine, 0.8 mapped
and 1.1 read on another (see docs/benchmarks.md): it depends on the processor, on what else runs, and on how many ids there are.
So where there is enough to search, a part is searched each way, and the rest the cheaper way.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence

from stackbook.logs.running import Piece

MAPPED, READ = "--mmap", "--no-mmap"
SAMPLE = 64 * 1024 * 1024
"""Bytes after which the time that a way took tells something."""


class Ways:
    """What each way has cost so far, in seconds of processor time per byte."""

    def __init__(self, strings: int) -> None:
        first, second = (MAPPED, READ) if strings == 1 else (READ, MAPPED)
        self.costs: dict[str, float | None] = {first: None, second: None}
        """By way, the one to begin with first; None where it was not tried."""

    def groups(self, pieces: Sequence[Piece]) -> Iterator[tuple[str, list[Piece]]]:
        """`pieces` in groups, each with its way; note what one took before taking the next."""
        left = sorted(pieces, key=lambda piece: piece.stop, reverse=True)
        for way in [way for way, cost in self.costs.items() if cost is None]:
            sample: list[Piece] = []
            while left and _size(sample) < SAMPLE:
                sample.append(left.pop())
            if sample:
                yield way, sample
        if left:
            yield min(self.costs, key=lambda way: self.costs[way] or 0.0), left

    def note(self, way: str, pieces: Sequence[Piece], seconds: float) -> None:
        """Remember that searching `pieces` this way took `seconds`."""
        if _size(pieces) >= SAMPLE:
            self.costs[way] = seconds / _size(pieces)


def spent() -> float:
    """Seconds of processor time that ended programs of this process took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _size(pieces: Sequence[Piece]) -> int:
    return sum(piece.stop - piece.start for piece in pieces)
