"""Files that are whole or absent, and private to their owner."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from stackbook.errors import StackbookError


class NotSaved(StackbookError):
    """A file of the run could not be written; the one before it is still there."""


def write_private(path: Path, text: str) -> None:
    """Replace `path` as a whole or not at all, on disk when this returns; mode 0600. Raises NotSaved."""
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise NotSaved(f"{path}: can't be written: {error.strerror}", hint="free space there, then: stackbook resume") from None
