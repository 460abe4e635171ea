"""``make demo``: a real OpenStack on this machine, the first runbooks against it, and the page of their reports.

Every step is a command that you could type; it is shown before it runs. Run twice, it says that nothing had to change.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORKSPACE = ROOT / "workspace"
STACKBOOK = str(Path(sys.executable).with_name("stackbook"))
APPROVAL = 2
"""Exit code of a run whose changes await approval."""

VLAN = ("provider-vlan", {"vlan": "204", "cidr": "192.0.2.0/24"})
PORT = ("fixed-ip", {"network": "vlan204", "ip": "192.0.2.50", "mac": "52:54:00:12:34:56", "name": "web-port"})
SERVER = ("server-from-volume", {"name": "web", "port": "web-port"})
TEAM = ("project-setup", {"project": "team-a", "users": '["alice:member"]', "vcpus": "20", "disk_gib": "1000"})
Step = tuple[str, dict[str, str]]


def main() -> int:
    """The demonstration; its exit code is 0 when every step did what it should."""
    begun = time.monotonic()
    say("A real OpenStack, on loopback, as you: keystone, glance, placement, neutron, cinder and nova")
    must("sandbox", "up")
    must("init", str(WORKSPACE))
    changed = [approved(step, why) for step, why in STEPS]
    say("Everything on one page")
    run(("inventory", {}))
    page = last_line("report", "--index")
    say(summary(changed, time.monotonic() - begun))
    print(f"  Reports:  {page}\n  Go on:    cd {WORKSPACE} && {STACKBOOK} jupyter\n  Clean up: {STACKBOOK} sandbox down\n")
    return 0


STEPS = (
    (VLAN, "A network on VLAN 204: configuration on three hosts, four restarts, network and subnet"),
    (TEAM, "A project with a user, 20 vCPUs and 1 TB"),
    (PORT, "A port with a fixed IP and MAC on it"),
    (SERVER, "A server, booted from a volume of its own, on that port"),
)


def approved(step: Step, why: str) -> int:
    """Run a step as an operator would: without approval, which is refused with a plan, then with the plan's digest."""
    say(why)
    code, told = run(step)
    if code == 0:
        print(f"  nothing to change ({told['status']})")
        return 0
    if code != APPROVAL:
        fail(f"{step[0]} ended with exit code {code}")
    print(f"\n  Refused, as it should be: nobody has approved {told['digest']} yet. Having read it:\n")
    code, done = run(step, "--approve", told["digest"])
    if code:
        fail(f"{step[0]} ended with exit code {code}")
    return int(done["done"])


def run(step: Step, *more: str) -> tuple[int, dict[str, Any]]:
    """Run a runbook; its exit code and its record."""
    values = [word for name, value in step[1].items() for word in ("-p", f"{name}={value}")]
    words = ["run", step[0], *values, *more]
    shown(words)
    done = subprocess.run([STACKBOOK, *words, "--json"], cwd=WORKSPACE, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, json.loads(done.stdout or "{}")


def must(*words: str) -> None:
    """Run a command of stackbook; end the demonstration when it fails."""
    shown(words)
    done = subprocess.run([STACKBOOK, *words], cwd=ROOT, check=False)
    if done.returncode:
        fail(f"stackbook {words[0]} ended with exit code {done.returncode}")


def last_line(*words: str) -> str:
    """The last line that a command of stackbook prints."""
    told = subprocess.run([STACKBOOK, *words], cwd=WORKSPACE, stdout=subprocess.PIPE, text=True, check=True)
    return told.stdout.strip().splitlines()[-1]


def summary(changed: list[int], seconds: float) -> str:
    """One sentence: what was changed, and how long it took."""
    if not any(changed):
        return f"Nothing had to change: everything is as it should be ({seconds:.0f} s)"
    runs = len([number for number in changed if number])
    return f"{sum(changed)} changes made and proved in {runs} run{'s' if runs > 1 else ''} ({seconds:.0f} s)"


def say(text: str) -> None:
    """A heading."""
    print(f"\n── {text}", flush=True)


def shown(words: list[str] | tuple[str, ...]) -> None:
    """The command as one would type it."""
    quoted = " ".join(f"'{word}'" if any(sign in word for sign in ' "[]') else word for word in words)
    print(f"\n$ stackbook {quoted}", flush=True)


def fail(why: str) -> None:
    """Say what failed and where to look, and end."""
    print(f"\n{why}\n  Try: stackbook sandbox status, then stackbook runs in {WORKSPACE}", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    sys.exit(main())
