"""The reference page of the command line, made from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from stackbook.cli.parser import EXITS, parser

HEAD = f"""# The command line

Every command has `--help`. With `--json`, data goes to standard output and progress to standard error.
{EXITS[0].upper()}{EXITS[1:]}.
An error reads: what is wrong, what was found, one thing to try.

This page is made by `make docs` from the parser.
"""


def page() -> str:
    """The page: for each command its purpose, its arguments and options, and an example."""
    return "\n".join([HEAD, *(_section(command) for command in commands(parser()))])


def commands(top: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every command that does something; those of a group one after the other."""
    for action in top._actions:  # noqa: SLF001 - argparse shows its actions in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from list(commands(command)) or [command]


def _section(command: argparse.ArgumentParser) -> str:
    arguments = [action for action in command._actions if not isinstance(action, argparse._HelpAction)]  # noqa: SLF001
    rows = "\n".join(f"| `{_form(action)}` | {action.help} |" for action in arguments)
    table = f"\n| | |\n|-|-|\n{rows}\n" if rows else ""
    example = "\n".join(line.strip() for line in (command.epilog or "").splitlines()[1:])
    about = " ".join((command.description or "").split())
    return f"## {command.prog.removeprefix('stackbook ')}\n\n{about}\n{table}\n```sh\n{example}\n```\n"


def _form(action: argparse.Action) -> str:
    """An option or argument as it is typed."""
    value = str(action.metavar or action.dest.upper()) if action.nargs != 0 else ""
    if not action.option_strings:
        return {"?": f"[{value}]", "*": f"[{value}]..."}.get(str(action.nargs), value)
    return " ".join(filter(None, [", ".join(action.option_strings), value]))
