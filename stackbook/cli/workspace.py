"""init, jupyter."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from argparse import Namespace
from pathlib import Path

from stackbook.cli.places import state_folder
from stackbook.config import SETTINGS
from stackbook.config import workspace as current_workspace
from stackbook.errors import BadInput
from stackbook.runbook.catalogue import FOLDER, SUFFIX, shipped_folder

COPIED = ".copied.json"
"""In a workspace's notebooks/: which shipped text each copy was made from, so that an edited one is told from an old one."""
TEMPLATE = """\
# Where stackbook works. Sites, never secrets: passwords belong into clouds.yaml, OS_* variables or a keystonerc file.

# The sandbox: a real OpenStack on this machine, made by: stackbook sandbox up
[sites.sandbox]
layout = "sandbox"

# A site of your own: an entry of clouds.yaml, how it was installed, and its hosts.
# [sites.lab]
# cloud = "lab"                       # entry of clouds.yaml; or  rc = "~/keystonerc_admin"
# layout = "packstack"                # packstack, debian, kolla or devstack
#
# [sites.lab.hosts.controller1]
# address = "192.0.2.10"
# roles = ["controller", "network"]
# user = "root"                       # reached over SSH with your keys; another user needs sudo without a password
#
# [sites.lab.hosts.compute1]          # more: port, key, jump = "user@host", known_hosts
# address = "192.0.2.11"
# roles = ["compute"]
"""
QUIET = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
"""JupyterLab's settings that keep it from asking the internet for news."""


def init(arguments: Namespace) -> None:
    """Make a workspace, or bring one up to date."""
    folder = Path(arguments.folder).expanduser()
    try:
        for path in (folder, folder / FOLDER):
            path.mkdir(parents=True, exist_ok=True)
        (folder / "runs").mkdir(exist_ok=True, mode=0o700)
        _settings(folder / SETTINGS)
        _copies(folder / FOLDER)
    except OSError as error:
        raise BadInput(f"{error.filename}: {error.strerror}", hint="name a folder that you may write to") from None
    there = "" if folder.resolve() == Path.cwd() else f"cd {folder}, then: "
    print(f"workspace {folder.resolve()}\n  Try: {there}stackbook list")


def jupyter(arguments: Namespace) -> None:
    """Become JupyterLab on the workspace, with this environment's kernel even where the user has others of its name."""
    folder = current_workspace()
    settings = state_folder() / "jupyter" / "labconfig"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "default_setting_overrides.json").write_text(json.dumps(QUIET))
    paths = [str(settings.parent), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    ours = {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths), "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}", *arguments.arguments]
    sys.stdout.flush()
    os.chdir(folder)
    os.execve(sys.executable, command, {**os.environ, **ours})  # noqa: S606


def _settings(path: Path) -> None:
    if path.exists():
        print(f"  kept     {path.name}")
    else:
        path.write_text(TEMPLATE)
        print(f"  made     {path.name}")


def _copies(folder: Path) -> None:
    record = folder / COPIED
    copied = json.loads(record.read_text()) if record.is_file() else {}
    for source in sorted(shipped_folder().glob("*" + SUFFIX)):
        target, text = folder / source.name, source.read_bytes()
        state = _state(target, text, copied.get(source.name, ""))
        if state in ("made", "updated"):
            target.write_bytes(text)
        if state != "kept":
            copied[source.name] = _digest(text)
        note = f" (edited; the shipped one is {source})" if state == "kept" else ""
        print(f"  {state:8} {FOLDER}/{source.name}{note}")
    record.write_text(json.dumps(copied, indent=1) + "\n")


def _state(target: Path, text: bytes, copied: str) -> str:
    """What to do with a copy: made, current, updated, or kept because it was edited."""
    if not target.exists():
        return "made"
    present = _digest(target.read_bytes())
    if present == _digest(text):
        return "current"
    return "updated" if present == copied else "kept"


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
