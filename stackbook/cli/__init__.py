"""The command line; each command is imported when it is called."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from stackbook.cli.parser import parsed
from stackbook.errors import EXIT_FAILED, StackbookError

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0 done, 1 failed, 2 awaiting approval, 3 bad input, 130 or 143 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that lacks a character shows another
            stream.reconfigure(errors="replace")
    arguments = parsed(argv)
    try:
        code = _called(arguments)
        sys.stdout.flush()
    except StackbookError as error:
        return _told(error, arguments)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # no traceback at the command line
        return _unexpected(error)
    return code


def _called(arguments: Namespace) -> int:
    module, _, function = arguments.call.partition(":")
    code = getattr(importlib.import_module(module), function)(arguments)
    return code if isinstance(code, int) else 0


def _told(error: StackbookError, arguments: Namespace) -> int:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    if getattr(arguments, "json", False):
        empty = {"run": None, "runbook": getattr(arguments, "runbook", None), "status": "failed"}
        print(json.dumps({**empty, "error": error.record()}, ensure_ascii=False, default=str))
    return error.exit_code


def _unexpected(error: Exception) -> int:
    from stackbook.render.redact import Redactor
    from stackbook.secrets import known_secrets

    redact = Redactor(known_secrets(None))
    said = redact(str(error)).strip().partition("\n")[0][:300] or "no message"
    print(f"stackbook met an error that it does not know: {type(error).__name__}: {said}", file=sys.stderr)
    print(f"  Try: report it, with {_traceback(redact)}", file=sys.stderr)
    return EXIT_FAILED


def _traceback(redact: Callable[[str], str]) -> Path:
    """Write the traceback, without secrets, to a private file and return its path."""
    import time
    import traceback

    from stackbook.cli.places import state_folder
    from stackbook.runbook.files import write_private

    path = state_folder() / f"error-{time.strftime('%Y%m%dT%H%M%S')}.txt"
    write_private(path, redact(traceback.format_exc()))
    return path
