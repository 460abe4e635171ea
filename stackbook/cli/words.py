"""Command lines made of command lines."""

from __future__ import annotations

from argparse import Namespace


def shared(arguments: Namespace) -> list[str]:
    """What follows ``stackbook run`` for the same runbook, values, limit and consent to delete."""
    words = [arguments.runbook, *(word for given in arguments.parameters for word in ("-p", given))]
    words += ["--params", arguments.params] if arguments.params else []
    words += ["--timeout", f"{arguments.timeout:g}"] if arguments.timeout else []
    return [*words, *(["--allow-delete"] if arguments.allow_delete else [])]
