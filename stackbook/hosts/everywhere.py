"""The same work on many hosts at once; one that fails is a row, not the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from stackbook.errors import StackbookError
from stackbook.hosts.host import Host

AT_ONCE = 16
"""Hosts worked on at the same time."""
T = TypeVar("T")


@dataclass(frozen=True)
class Answers(Generic[T]):
    """What hosts answered, by name in the order asked, and what went wrong with the others."""

    found: dict[str, T]
    failed: dict[str, StackbookError]


def everywhere(hosts: Iterable[Host], work: Callable[[Host], T]) -> Answers[T]:
    """Do `work` on each of `hosts`, several at the same time; a StackbookError is that host's answer."""

    def one(host: Host) -> T | StackbookError:
        try:
            return work(host)
        except StackbookError as error:
            return error

    listed = list(hosts)
    with ThreadPoolExecutor(max(1, min(AT_ONCE, len(listed)))) as pool:
        answers = dict(zip((host.name for host in listed), pool.map(one, listed), strict=True))
    found = {name: answer for name, answer in answers.items() if not isinstance(answer, StackbookError)}
    return Answers(found, {name: answer for name, answer in answers.items() if isinstance(answer, StackbookError)})
