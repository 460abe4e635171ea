"""The commands and their options. Nothing heavy is imported here: this is all that ``--help`` needs."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Sequence
from typing import Any, NoReturn

import stackbook
from stackbook.errors import EXIT_BAD_INPUT

EXITS = "exit codes: 0 done or nothing to do, 1 failed, 2 changes await approval, 3 bad input, 130/143 interrupted"
RUN_HELP = "a run: its id, an unambiguous part of it, its folder, or last"


class Parser(argparse.ArgumentParser):
    """A parser whose errors read, and end, as all of stackbook's do."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and what to try; exit code 3."""
        print(f"BadInput: {message}\n  Try: {self.prog} --help", file=sys.stderr)
        sys.exit(EXIT_BAD_INPUT)


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line read; what a command does not know is told with that command's help, not that of all."""
    found, unknown = parser().parse_known_args(argv)
    if unknown:
        Parser(found.usage).error(f"{found.usage} takes no {' '.join(unknown)}")
    return found


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(
        prog="stackbook",
        description="OpenStack operations as Jupyter runbooks that plan, apply, verify and undo.",
        epilog=f"start here: stackbook init, then stackbook sandbox up\n{EXITS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"stackbook {stackbook.__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    own = (_init, _doctor, _sandbox, _list, _show, _run, _runs, _resume, _undo, _report, _publish, _inventory, _trace)
    for add in (*own, _schedule, _fleet, _jupyter):
        add(commands)
    return top


def _command(commands: Any, name: str, call: str, purpose: str, example: str, about: str = "") -> argparse.ArgumentParser:
    """Add a command; `call` is ``module:function`` below stackbook.cli."""
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=purpose,
        description=textwrap.fill(f"{purpose[0].upper()}{purpose[1:]}. {about}", 100),
        epilog="example:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.set_defaults(call=f"stackbook.cli.{call}", usage=made.prog)
    return made


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON; progress goes to standard error")


def _consent(command: argparse.ArgumentParser) -> None:
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--approve", metavar="DIGEST", default="", help="approve the plan of this digest, such as p-05b3dce6")
    choice.add_argument(
        "--yes", action="store_true", help="approve whatever is planned: for the sandbox, and for schedules whose owner chose it"
    )


def _limits(command: argparse.ArgumentParser) -> None:
    command.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="stop the run when it is not done by then")
    _json(command)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 1e7:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, found {text}")
    return seconds


def _init(commands: Any) -> None:
    made = _command(
        commands,
        "init",
        "workspace:init",
        "make a workspace: stackbook.toml, notebooks/ (copies to edit), runs/",
        "stackbook init ~/stackbook",
        "Run again after an upgrade, it brings new runbooks and keeps every copy that you edited.",
    )
    made.add_argument("folder", metavar="DIR", nargs="?", default=".", help="the folder, made if need be (default: this one)")


def _doctor(commands: Any) -> None:
    made = _command(
        commands,
        "doctor",
        "doctor:doctor",
        "check what is installed, reachable and permitted; each finding with its next step",
        "stackbook doctor",
    )
    made.add_argument("--site", metavar="NAME", help="check this site only (default: all of stackbook.toml)")
    _json(made)


def _sandbox(commands: Any) -> None:
    made = _command(
        commands,
        "sandbox",
        "sandboxes:status",
        "a real OpenStack on this machine, to learn and to test on",
        "stackbook sandbox up\nstackbook sandbox status",
    )
    verbs = made.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    name = Parser(add_help=False)
    name.add_argument("--name", default="default", help="which sandbox; each has its own state and ports (default: default)")
    for verb, purpose, example in SANDBOX_VERBS:
        command = verbs.add_parser(
            verb,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[name],
            allow_abbrev=False,
        )
        home = "breaking" if verb in FAULT_VERBS else "sandboxes"
        command.set_defaults(call=f"stackbook.cli.{home}:{'break_' if verb == 'break' else verb}", usage=command.prog)
        if verb in FAULT_VERBS and verb != "faults":
            count = "?" if verb == "heal" else None
            command.add_argument("fault", metavar="FAULT", nargs=count, help="its name, as sandbox faults lists it")
        if verb in ("up", "status", "env", "logs", *FAULT_VERBS):
            _json(command)
        if verb == "env":
            command.add_argument("--clouds-yaml", action="store_true", help="print a clouds.yaml instead of export lines")
        if verb == "logs":
            command.add_argument("--host", default="*", help="of this host only: controller1, compute1, compute2")
            command.add_argument("--project", default="*", help="of this project only: nova, neutron, …")
            command.add_argument("--lines", type=int, default=0, metavar="N", help="print the last N lines of each")


SANDBOX_VERBS = (
    ("up", "start the sandbox; the first time, make it", "stackbook sandbox up"),
    ("down", "stop the sandbox; its state stays", "stackbook sandbox down"),
    ("status", "show how each of its services does", "stackbook sandbox status"),
    ("reset", "stop the sandbox and remove all that it holds", "stackbook sandbox reset"),
    ("env", "print what any OpenStack client needs to use it", 'eval "$(stackbook sandbox env)"; openstack server list'),
    ("faults", "list what can be broken in it, and what is", "stackbook sandbox faults"),
    ("break", "break something in it, to see how that shows and what finds it", "stackbook sandbox break mapping-missing"),
    ("heal", "undo what was broken, one fault or all", "stackbook sandbox heal"),
    ("logs", "list its log files, or show their last lines", "stackbook sandbox logs --host compute1 --project nova --lines 20"),
)


FAULT_VERBS = ("faults", "break", "heal")


def _list(commands: Any) -> None:
    _json(_command(commands, "list", "looking:listing", "list the runbooks, a line each", "stackbook list"))


def _show(commands: Any) -> None:
    made = _command(
        commands,
        "show",
        "looking:show",
        "show a runbook: purpose, impact, parameters, how to undo",
        "stackbook show provider-vlan",
    )
    made.add_argument("runbook", metavar="RUNBOOK", help="a name in notebooks/, else a shipped one, or a path")
    _json(made)


def _run(commands: Any) -> None:
    made = _command(
        commands,
        "run",
        "running:run",
        "run a runbook: plan it, or apply the plan that you approve",
        "stackbook run provider-vlan -p vlan=204\nstackbook run provider-vlan -p vlan=204 --approve p-05b3dce6",
        EXITS[0].upper() + EXITS[1:] + ".",
    )
    _runbook(made)
    made.add_argument("--site", metavar="NAME", help="a site of stackbook.toml, or a cloud of clouds.yaml")
    _consent(made)
    made.add_argument("--allow-delete", action="store_true", help="consent to delete more than usual, or beyond recall")
    _limits(made)


def _runbook(command: argparse.ArgumentParser) -> None:
    """Which runbook, with which values."""
    command.add_argument("runbook", metavar="RUNBOOK", help="a name in notebooks/, else a shipped one, or a path")
    command.add_argument(
        "-p",
        dest="parameters",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter; the value is read by its declared type; for a list, again for each item, or a,b,c",
    )
    command.add_argument("--params", metavar="FILE", help="parameters from a YAML or JSON file; -p goes before it")


def _fleet(commands: Any) -> None:
    purpose = "one runbook on many sites: planned on all, then applied where its plan was approved"
    made = _command(commands, "fleet", "fleets:run", purpose, "stackbook fleet run inventory --sites all")
    verbs = made.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    run = _command(
        verbs,
        "run",
        "fleets:run",
        "run a runbook on many sites",
        "stackbook fleet run provider-vlan -p vlan=204 --sites office,lab\n"
        "stackbook fleet run provider-vlan -p vlan=204 --sites office,lab --approve p-05b3dce6 --approve p-7c21aa90",
        "All sites are planned first. Those whose plans are approved are then changed one after the other, in the order named; "
        "after one that fails no other is begun. The exit code is that of the worst.",
    )
    _runbook(run)
    run.add_argument(
        "--sites", metavar="NAME,...", action="append", required=True, help="the sites; all: those of stackbook.toml"
    )
    choice = run.add_mutually_exclusive_group()
    choice.add_argument(
        "--approve", metavar="DIGEST", action="append", default=[], help="approve a site's plan; again for others"
    )
    choice.add_argument("--yes", action="store_true", help="approve what is planned, on every site")
    run.add_argument("--allow-delete", action="store_true", help="consent to delete more than usual, or beyond recall")
    run.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="stop a site's run when it is not done by then")
    _json(run)


def _schedule(commands: Any) -> None:
    purpose = "runbooks at set times: a timer of systemd each"
    made = _command(commands, "schedule", "scheduling:listing", purpose, "stackbook schedule add health --at 06:00")
    verbs = made.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=Parser)
    add = _command(
        verbs,
        "add",
        "scheduling:add",
        "run a runbook at set times",
        "stackbook schedule add health --site office --at 06:00\n"
        'stackbook schedule add provider-vlan -p vlan=204 --site office --at "Mon..Fri 07:30" --dry-run',
        "Without --yes it only plans: where something has changed, the run awaits approval, and systemctl --failed shows it.",
    )
    _runbook(add)
    add.add_argument("--site", metavar="NAME", help="a site of stackbook.toml, or a cloud of clouds.yaml")
    add.add_argument("--at", metavar="TIMES", required=True, help="as systemd's OnCalendar: daily, 06:00, Mon..Fri 06:00")
    add.add_argument("--name", metavar="NAME", help="its name (default: the runbook's, and the site's)")
    add.add_argument("--yes", action="store_true", help="approve whatever is planned, each time; the reports say so")
    add.add_argument("--allow-delete", action="store_true", help="consent to delete more than usual, or beyond recall")
    add.add_argument("--timeout", metavar="SECONDS", type=_seconds, help="stop a run when it is not done by then")
    add.add_argument("--dry-run", action="store_true", help="show what would be written, and when it would run first")
    _json(_command(verbs, "list", "scheduling:listing", "list the schedules", "stackbook schedule list"))
    remove = _command(verbs, "remove", "scheduling:remove", "take a schedule away", "stackbook schedule remove health-office")
    remove.add_argument("name", metavar="NAME", help="its name, as schedule list tells it")


def _runs(commands: Any) -> None:
    made = _command(
        commands, "runs", "looking:runs", "list the runs, newest first; or show one", "stackbook runs\nstackbook runs last"
    )
    made.add_argument("run", metavar="RUN", nargs="?", help=RUN_HELP)
    made.add_argument("--limit", type=int, default=30, metavar="N", help="at most this many (default: 30)")
    _json(made)


def _resume(commands: Any) -> None:
    made = _command(
        commands,
        "resume",
        "running:resume",
        "go on with a run that failed or was interrupted; what is done is not done again",
        "stackbook resume last",
    )
    made.add_argument("run", metavar="RUN", help=RUN_HELP)
    _consent(made)
    _limits(made)


def _undo(commands: Any) -> None:
    made = _command(
        commands,
        "undo",
        "running:undo",
        "take back what a run made; the undo is itself a plan to approve",
        "stackbook undo last\nstackbook undo last --approve p-7c21aa90",
    )
    made.add_argument("run", metavar="RUN", help=RUN_HELP)
    _consent(made)
    _limits(made)


def _report(commands: Any) -> None:
    made = _command(
        commands, "report", "reporting:report", "make a run's page again and print its path", "stackbook report last --open"
    )
    made.add_argument("run", metavar="RUN", nargs="?", default="last", help=f"{RUN_HELP} (default: last)")
    made.add_argument("--index", action="store_true", help="make the page over all runs instead")
    made.add_argument("--open", action="store_true", help="open it in a browser")


def _publish(commands: Any) -> None:
    made = _command(
        commands,
        "publish",
        "reporting:publish",
        "copy the pages of all runs into a folder, for a web server",
        "stackbook publish /srv/www/stackbook",
    )
    made.add_argument("folder", metavar="DIR", help="the folder, made if need be")


def _inventory(commands: Any) -> None:
    made = _command(
        commands,
        "inventory",
        "looking:inventory",
        "show what the handy commands show, in one go: pools, images, networks, subnets, ports, …",
        "stackbook inventory --site sandbox",
    )
    made.add_argument("--site", metavar="NAME", default="sandbox", help="a site of stackbook.toml, or a cloud of clouds.yaml")
    made.add_argument("--csv", metavar="FILE", help="write all rows into this CSV file")
    _json(made)


def _trace(commands: Any) -> None:
    made = _command(
        commands,
        "trace",
        "tracing:trace",
        "say what happened to something, in order, across all services and hosts, why, and what to do",
        "stackbook trace web\nstackbook trace 0b7c8e52-53f4-4b5f-9a3f-3a1f6f1f5f5e --since 2h\nstackbook trace last",
    )
    made.add_argument("ids", metavar="ID", nargs="+", help="a UUID, a name, a request id, a run, or last")
    where = "a site of stackbook.toml, or a cloud of clouds.yaml (default: a run's own; else sandbox)"
    made.add_argument("--site", metavar="NAME", help=where)
    made.add_argument("--since", metavar="TIME", help="logs from then on: 2h, 30m, 3d, or 2026-11-23T14:05 (UTC)")
    made.add_argument("--until", metavar="TIME", help="logs up to then")
    made.add_argument("--logs-only", action="store_true", help="ask no API: read the logs only")
    _json(made)


def _jupyter(commands: Any) -> None:
    made = _command(
        commands,
        "jupyter",
        "workspace:jupyter",
        "open the workspace in JupyterLab",
        "stackbook jupyter\nstackbook jupyter -- --no-browser --port 8889",
    )
    made.add_argument("arguments", metavar="ARGUMENT", nargs="*", help="passed on to jupyter lab, after --")
