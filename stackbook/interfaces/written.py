"""One file that a renderer wants on the host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Written:
    """A file's path on the host, its text, and its mode as ``chmod`` takes it."""

    path: str
    text: str
    mode: str = "0644"
