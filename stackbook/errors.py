"""Errors as an operator reads them: what is wrong, what was found, one next step."""

from __future__ import annotations

from typing import Any

EXIT_DONE, EXIT_FAILED, EXIT_AWAITS_APPROVAL, EXIT_BAD_INPUT = 0, 1, 2, 3


class StackbookError(Exception):
    """A failure that names its address, what was found and the next step.

    Args:
        what: One sentence, address first, expected against found.
        found: The value or rows found, where that helps; becomes part of the record.
        hint: One next step, as a command where there is one.
    """

    exit_code = EXIT_FAILED

    def __init__(self, what: str, *, found: Any = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.what]
        if self.found not in (None, "", [], {}):
            lines.append(f"  Found: {_listed(self.found)}")
        if self.hint:
            lines.append(f"  Try: {self.hint}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """The error as JSON for a run's record: ``type``, ``what``, ``found``, ``hint``."""
        return {"type": type(self).__name__, "what": self.what, "found": self.found, "hint": self.hint}

    def _render_traceback_(self) -> list[str]:
        """Let IPython show the message alone: the cell above is traceback enough."""
        return [f"{type(self).__name__}: {self}"]


class BadInput(StackbookError):
    """A parameter, file or desired resource can't be used as given."""

    exit_code = EXIT_BAD_INPUT


class Refused(BadInput):
    """Planning found something in the way: an address taken, a VLAN in use, an ambiguous name."""


class BundleRefused(Refused):
    """A bundle that is broken, hostile or of a kind that can't be moved; nothing but our own readers has seen it."""


class PlanNotApproved(StackbookError):
    """The plan's digest was not approved, or the plan has changed since it was."""

    exit_code = EXIT_AWAITS_APPROVAL


class Unsafe(StackbookError):
    """The plan deletes more than it should, or something that can't be brought back, without consent."""

    exit_code = EXIT_AWAITS_APPROVAL


class PreflightFailed(StackbookError):
    """A preflight check found a counterexample; nothing was changed."""


class ProofFailed(StackbookError):
    """A table that had to be empty holds rows."""


class ChangedSince(StackbookError):
    """Someone changed the resource after the run did; undo would overwrite their work."""


class Busy(StackbookError):
    """Another run is changing this site."""


class Unreachable(StackbookError):
    """A cloud or host does not answer, or refuses the credentials."""


class CloudFailed(StackbookError):
    """The cloud refused a request, or something in it failed; carries the API's message and request id."""


class NotTaken(CloudFailed):
    """The cloud did not take a disk in the form it came in; another form may do."""


def _listed(found: Any) -> str:
    if isinstance(found, (list, tuple)):
        return "; ".join(str(item) for item in found)
    return str(found)
