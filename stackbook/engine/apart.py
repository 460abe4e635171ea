"""Changes that stand apart: when one of a machine fails, the other machines of its wave are made all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from stackbook.errors import CloudFailed, StackbookError
from stackbook.plans import Change

Groups = Mapping[str, Collection[str]]
"""What each group is called, and the addresses of its resources."""


class Apart:
    """Keeps the first failure of each group; what belongs to no group, or to two, fails for all."""

    def __init__(self, groups: Groups) -> None:
        times = Counter(address for addresses in groups.values() for address in set(addresses))
        self.groups = {address: name for name, addresses in groups.items() for address in addresses if times[address] == 1}
        self.failed: dict[str, tuple[str, Exception]] = {}

    def left_out(self, change: Change) -> bool:
        """Whether an earlier change of the same group failed."""
        return self.groups.get(change.address) in self.failed

    @contextmanager
    def of(self, change: Change) -> Iterator[None]:
        """Keep a failure of this change for the end, where it stands apart; an interrupt ends all as ever."""
        try:
            yield
        except Exception as error:
            group = self.groups.get(change.address)
            if group is None:
                raise
            self.failed[group] = change.address, error
            print(f"  {group} is left out from here: {_what(error)}")

    def told(self) -> None:
        """Raise CloudFailed, with the cause for each group, if any failed."""
        if not self.failed:
            return
        names, total = ", ".join(self.failed), len(set(self.groups.values()))
        hints = [error.hint for _, error in self.failed.values() if isinstance(error, StackbookError)]
        raise CloudFailed(
            f"{len(self.failed)} of {total} failed: {names}; the others were made",
            found=[_cause(address, error) for address, error in self.failed.values()],
            hint=hints[0] if len(self.failed) == len(hints) == 1 else "mend what each of them tells, then resume the run",
        )


def _what(error: Exception) -> str:
    return error.what if isinstance(error, StackbookError) else f"{type(error).__name__}: {error}"


def _cause(address: str, error: Exception) -> str:
    what, found = _what(error), error.found if isinstance(error, StackbookError) else None
    named = what if what.startswith(address) else f"{address}: {what}"
    return f"{named} ({found})" if found not in (None, "", [], {}) else named
