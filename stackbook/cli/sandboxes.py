"""sandbox up, down, status, reset, env, logs."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from collections import deque
from dataclasses import asdict

from stackbook import sandbox
from stackbook.errors import EXIT_FAILED
from stackbook.render.text import table_text

MIB = 2**20


def up(arguments: Namespace) -> None:
    """Start a sandbox."""
    found = sandbox.up(arguments.name, progress=_progress)
    if arguments.json:
        print(json.dumps(asdict(found), default=str))
        return
    option = "" if arguments.name == "default" else f" --name {arguments.name}"
    print(f"sandbox {found.name} is up: {found.urls.get('keystone', '')}")
    print(f'  Try: stackbook run inventory, or  eval "$(stackbook sandbox env{option})"')


def down(arguments: Namespace) -> None:
    """Stop a sandbox."""
    sandbox.down(arguments.name, progress=_progress)
    print(f"sandbox {arguments.name} is down; its state stays")


def reset(arguments: Namespace) -> None:
    """Stop a sandbox and remove what it holds."""
    sandbox.reset(arguments.name, progress=_progress)
    print(f"sandbox {arguments.name} is gone; stackbook sandbox up makes a new one")


def status(arguments: Namespace) -> int:
    """Show a sandbox's services; exit code 1 unless all are ready."""
    services = sandbox.status(arguments.name)
    network = sandbox.network(arguments.name)
    if arguments.json:
        print(json.dumps([*(asdict(service) for service in services), {"project": "network", **asdict(network)}]))
    else:
        print(table_text([{**asdict(service), "memory": f"{service.memory / MIB:.0f} MiB"} for service in services]))
        print("\nhosts, each a folder with /etc and /var/log:")
        print("\n".join(f"  {host:12} {place}" for host, place in sandbox.sandbox(arguments.name).hosts.items()))
        print(f"\nhosts' network: {network.summary}" + (f"\n  Try: {network.hint}" if network.hint else ""))
    return 0 if all(service.state == "ready" for service in services) else EXIT_FAILED


def env(arguments: Namespace) -> None:
    """Print the variables, or the clouds.yaml, with which any client uses the sandbox."""
    variables = sandbox.environment(arguments.name)
    if arguments.clouds_yaml:
        print(sandbox.clouds_yaml(arguments.name), end="")
        return
    if arguments.json:
        print(json.dumps(variables))
        return
    print("\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items()))
    print("# as an entry of clouds.yaml: stackbook sandbox env --clouds-yaml")


def logs(arguments: Namespace) -> None:
    """List a sandbox's log files, or show the last lines of each."""
    paths = sandbox.logs(arguments.name, host=arguments.host, project=arguments.project)
    if arguments.json:
        print(json.dumps([str(path) for path in paths]))
        return
    for path in paths:
        print(path if not arguments.lines else f"==> {path} <==")
        if arguments.lines:
            with path.open(errors="replace") as stream:
                print("".join(deque(stream, max(arguments.lines, 0))))


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
