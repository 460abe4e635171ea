"""The secrets that work on a site may come across, so that they can be taken out of what is written."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from stackbook.config import SiteSettings, clouds_files, sandbox_settings
from stackbook.errors import StackbookError

SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pass|pwd|secrets?|tokens?|credentials?|(?:private|api|access|secret|host)_?key)(?:_|$)",
    re.IGNORECASE,
)
SHORTEST = 4
"""Characters; a shorter secret is no secret, and replacing it would tear other texts apart."""


def known_secrets(site: SiteSettings | None) -> tuple[str, ...]:
    """The secrets of `site`, of the environment and of every cloud in ``clouds.yaml``; the longest first."""
    found = {value for name, value in os.environ.items() if name.startswith("OS_") and SECRET_NAME.search(name)}
    if site and site.rc:
        found.update(_of_rc(Path(site.rc).expanduser()))
    if site and site.sandbox:
        with suppress(StackbookError, OSError, ValueError):
            found.update(_named(sandbox_settings(site.sandbox)))
    for path in clouds_files():
        found.update(_of_yaml(path))
        found.update(_of_yaml(path.with_name("secure.yaml")))
    return tuple(sorted((value for value in found if len(value) >= SHORTEST), key=lambda value: (-len(value), value)))


def _of_rc(path: Path) -> Iterator[str]:
    with suppress(OSError, ValueError):
        pairs = re.findall(r"^\s*(?:export\s+)?(OS_\w+)=(.*)", path.read_text(), re.MULTILINE)
        yield from ("".join(shlex.split(value, comments=True)) for name, value in pairs if SECRET_NAME.search(name))


def _of_yaml(path: Path) -> Iterator[str]:
    import yaml

    with suppress(OSError, ValueError, yaml.YAMLError):
        yield from _named(yaml.load(path.read_text(), Loader=yaml.BaseLoader))  # noqa: S506 - it makes texts, lists and mappings only


def _named(found: Any, secret: bool = False) -> Iterator[str]:
    """The texts under a name that sounds like a secret."""
    if isinstance(found, dict):
        for name, value in found.items():
            yield from _named(value, bool(SECRET_NAME.search(str(name))))
    elif isinstance(found, list):
        for item in found:
            yield from _named(item, secret)
    elif secret and isinstance(found, str):
        yield found
