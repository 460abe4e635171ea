"""The sandbox hosts' own network: interfaces and Open vSwitch, where this machine allows them; without, the rest works."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stackbook.sandbox import memory
from stackbook.sandbox.inside.openstack_sandbox import processes, rack
from stackbook.sandbox.jobs import Say, last_lines
from stackbook.sandbox.recipe import Recipe


@dataclass(frozen=True)
class Network:
    """How the hosts' own network does."""

    state: str
    """``ready``, ``starting``, ``failed`` (it ended unasked), ``stopped``, or ``absent`` (this machine does not allow it)."""
    summary: str
    hint: str = ""
    """The next step, where one is to be taken."""
    memory: int = 0
    """Bytes; 0 when it does not run."""


def start(home: Path, python: Path, recipe: Recipe) -> None:
    """Begin to start it, where this machine allows it."""
    if rack.missing() is None:
        rack.start(home, str(python), str(recipe.inside))


def settle(home: Path, say: Say) -> None:
    """Wait until it is ready; say what the hosts do without when it is not."""
    rack.facts_soon(home)
    found = network(home)
    if found.hint:
        say(f"hosts: {found.summary}\n  Try: {found.hint}")


def network(home: Path) -> Network:
    """How it does now."""
    state = processes.state(home, rack.PROJECT)
    facts = rack.facts(home)
    if facts:
        taken = sum(memory.proportional(one.pid) for one in processes.members(home, [rack.PROJECT]))
        if facts["openvswitch"]:
            return Network("ready", f"eno1, eno2 and Open vSwitch {facts['openvswitch']} on each host", memory=taken)
        hint = "apt-get install openvswitch-switch; then stackbook sandbox down, and up"
        return Network("ready", "eno1 and eno2 on each host, but Open vSwitch is not installed", hint, taken)
    if why := rack.missing():
        return Network("absent", f"no interfaces and no Open vSwitch of their own: {why[0]}", why[1])
    if state == "failed":
        out = home / "run" / f"{rack.PROJECT}.out"
        return Network(state, f"their network ended: {'; '.join(last_lines(out)) or 'no reason given'}", "stackbook sandbox up")
    return Network(state, f"their network is {state}")
