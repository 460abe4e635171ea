"""What installing or removing packages would do, told by the host's own packager before it is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Effect:
    """Packages that a transaction would install newly, and remove (with the version that is installed)."""

    installed: set[str] = field(default_factory=set)
    removed: dict[str, str] = field(default_factory=dict)


class Packager(Protocol):
    """apt or dnf on one host."""

    name: str

    def installed(self, name: str) -> str | None:
        """The installed version of a package; None when it is not installed."""

    def installing(self, wanted: Mapping[str, str | None], *, removal: bool) -> Effect:
        """What installing would do: package name to version, None for the newest. Refused when it can't be done.

        With `removal`, others may be removed for it.
        """

    def removing(self, names: Sequence[str]) -> Effect:
        """What removing would do."""

    def install(self, wanted: Mapping[str, str | None], *, removal: bool) -> None:
        """Install, asking nothing."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove, asking nothing; configuration files stay."""
