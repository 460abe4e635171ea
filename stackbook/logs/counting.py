"""The line numbers of places in logs.

This file is sent to hosts and runs there on Python 3.6 and later: standard library only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from stackbook.logs.compressed import content
from stackbook.logs.find import compression_of


def count_lines(request: dict[str, Any]) -> None:
    """Tell the line numbers of places, ``[file, offset]`` in order; of compressed files as places in their content."""
    for path, places in request["count"].items():
        try:
            fd = os.open(os.path.join(request["root"], path.lstrip("/")), os.O_RDONLY)
            for place, number in _numbers(content(fd, compression_of(path)), places):
                print(json.dumps({"k": "line", "f": path, "o": place, "n": number}))
        except (OSError, EOFError, ValueError):
            continue  # they stay without a number


def _numbers(parts: Iterator[bytes], places: list[int]) -> Iterator[tuple[int, int]]:
    """Each of `places` with the number of the line that begins there."""
    number, done, left = 1, 0, sorted(places)
    for part in parts:
        at = 0
        while left and left[0] <= done + len(part):
            number += part.count(b"\n", at, left[0] - done)
            at = left[0] - done
            yield left.pop(0), number
        if not left:
            return
        number, done = number + part.count(b"\n", at), done + len(part)
