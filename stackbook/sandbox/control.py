"""Sandboxes up and down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stackbook.errors import BadInput
from stackbook.sandbox import access, installation, memory, networks, places, ports, settings, shims, starting, template
from stackbook.sandbox.failure import SandboxFailed
from stackbook.sandbox.inside.openstack_sandbox import kept, processes
from stackbook.sandbox.inside.openstack_sandbox.home import CONTROLLER
from stackbook.sandbox.jobs import Job, Say, Ticker, run
from stackbook.sandbox.recipe import REAL, Recipe


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that is up."""

    name: str
    home: Path
    cloud: str
    """Its entry in `clouds_file`."""
    clouds_file: Path
    urls: dict[str, str]
    """Base address of each project's API."""
    hosts: dict[str, Path]
    """Root folder of each host."""


@dataclass(frozen=True)
class Service:
    """How one project's process does."""

    project: str
    pid: int | None
    port: int
    state: str
    """``ready``, ``starting``, ``failed`` (it ended unasked) or ``stopped``."""
    memory: int
    """Bytes, shared pages counted once over all processes; 0 when it does not run."""


def up(name: str = "default", progress: Say = print, recipe: Recipe = REAL) -> Sandbox:
    """Make the sandbox `name` unless it exists, and start what of it does not run.

    Does nothing when all is up; continues what a killed one left. SandboxFailed says what did not start, and where its
    log is.
    """
    home = places.home(name)
    places.private(places.homes())
    with _held(home, progress):
        python = installation.ensure(recipe, progress)
        if not (home / "sandbox.json").exists():
            processes.stop(home)  # whoever removed the folder by hand left its processes running
        if not processes.members(home):
            kept.drop_all(home)
        processes.record_lost(home, recipe.projects)
        _settle_settings(home, recipe, progress)
        if not settings.load(home).get("filled"):
            template.copy(template.ensure(recipe, python, progress), home)
            settings.save(home, settings.load(home) | {"filled": True})
        for folder in ("hosts", "run"):
            places.private(home / folder)
        for host in recipe.hosts:
            shims.write(home, host, python, recipe.inside)
        clouds_file = access.write(home)
        if recipe.rack:
            networks.start(home, python, recipe)
        _put_disks_in(home, recipe, python, progress)
        starting.start(home, recipe, python, progress)
        if recipe.rack:
            networks.settle(home, progress)
        _plant(home, recipe, python, progress)
    return _sandbox(home, clouds_file)


def down(name: str = "default", progress: Say = print) -> None:
    """Stop every process of the sandbox `name`; its state stays for the next `up`."""
    home = places.home(name)
    if not processes.members(home):  # of a folder removed by hand, there may still be some
        places.existing(name)
    with _held(home, progress):
        _halt(home)


def reset(name: str = "default", progress: Say = print) -> None:
    """Stop the sandbox `name` and remove all that it holds; the next `up` makes a new one."""
    home = places.existing(name)
    with _held(home, progress):
        processes.stop(home)
        going = home.with_name(f".{home.name}.gone")
        shutil.rmtree(going, ignore_errors=True)
        os.rename(home, going)  # first, so that one killed halfway is not half a sandbox
        shutil.rmtree(going)


def restart(name: str, project: str, progress: Say = print, recipe: Recipe = REAL) -> None:
    """Stop and start one project's process, and wait until its API answers."""
    home = places.existing(name)
    if project not in settings.load(home)["ports"]:
        raise BadInput(f"sandbox {name}: no project {project!r}", found=list(settings.load(home)["ports"]))
    with _held(home, progress):
        processes.stop(home, [project])
        starting.start(home, recipe, installation.python(recipe), progress, only=project)


def status(name: str = "default") -> list[Service]:
    """One record per project of the sandbox `name`."""
    home = places.existing(name)
    return [_service(home, project, port) for project, port in settings.load(home)["ports"].items()]


def network(name: str = "default") -> networks.Network:
    """How the hosts' own network of the sandbox `name` does."""
    return networks.network(places.existing(name))


def logs(name: str = "default", host: str = "*", project: str = "*") -> list[Path]:
    """The log files of the sandbox `name`: the services' on each host, then what their processes printed."""
    home = places.existing(name)
    return [
        *sorted(home.glob(f"hosts/{host}/var/log/{project}/*.log")),
        *(sorted(home.glob(f"run/{project}.out")) if host == "*" else []),
    ]


def sandbox(name: str = "default") -> Sandbox:
    """The sandbox `name` as `up` returned it, up or not."""
    home = places.existing(name)
    return _sandbox(home, access.write(home))


def _settle_settings(home: Path, recipe: Recipe, progress: Say) -> None:
    """Give the sandbox its settings, or see that those it has still hold."""
    with processes.lock(places.homes() / ".ports.lock"):  # two sandboxes made at once choose different ports
        if not (home / "sandbox.json").exists():
            places.private(home)
            chosen = ports.choose(recipe.projects, _ports_of_others(home))
            settings.save(home, settings.fresh(home.name, recipe, chosen))
            return
        found = settings.load(home)
        if found["version"] != recipe.version:
            raise SandboxFailed(
                f"sandbox {home.name}: made for other versions of the services, whose databases can't be carried over",
                hint="stackbook sandbox reset, then up: it starts empty",
            )
        _leave_taken_ports(home, found, progress)


def _leave_taken_ports(home: Path, found: settings.Settings, progress: Say) -> None:
    """Choose new ports where another process listens, in the settings and in the hosts' configuration."""
    old: dict[str, int] = found["ports"]
    lost = [project for project, port in old.items() if not processes.running(home, project) and not ports.free(port)]
    if lost:
        _halt(home)  # the projects that run know the others by the old addresses
        new = ports.choose(lost, _ports_of_others(home) | set(old.values()))
        for project in lost:
            progress(f"{project}: port {old[project]} is taken by another process; using {new[project]}")
        found |= {"ports": old | new, "moving": [[old[project], new[project]] for project in lost]}
        settings.save(home, found)
    if "moving" in found:  # recorded before it is done, so that one killed halfway is done again
        ports.rewrite(home, dict(found.pop("moving")))
        settings.save(home, found)


def _halt(home: Path) -> None:
    """Stop everything, as when the hosts are switched off: their agents read their configuration at the next start."""
    processes.stop(home)
    kept.drop_all(home)


def _plant(home: Path, recipe: Recipe, python: Path, progress: Say) -> None:
    """Give a new sandbox its flavors and image; what is made stays as the operator leaves it."""
    found = settings.load(home)
    if found.get("planted") or not recipe.seeds:
        return
    command = [str(python), "-m", "openstack_sandbox.seeds", str(home)]
    variables = processes.environment(home, "seeds", str(recipe.inside))
    run(Job("flavors and an image", command, home / "run" / "seeds.out", variables), progress)
    settings.save(home, settings.load(home) | {"planted": True})


def _put_disks_in(home: Path, recipe: Recipe, python: Path, progress: Say) -> None:
    """Give the controller of a sandbox its disks, once; without LVM on this machine, they have no volume group."""
    found = settings.load(home)
    if found.get("disks") or "cinder" not in recipe.projects:
        return
    command = [str(python), "-m", "openstack_sandbox.disks", str(home / "hosts" / CONTROLLER), "disks", "plant"]
    try:
        run(Job("disks", command, home / "run" / "disks.out", processes.environment(home, "disks", str(recipe.inside))), progress)
    except SandboxFailed as error:
        progress(f"{CONTROLLER} has no volume group: is lvm2 installed on this machine? ({error.found or error.what})")
        return
    settings.save(home, settings.load(home) | {"disks": True})


def _ports_of_others(home: Path) -> set[int]:
    others = [places.homes() / name for name in places.names() if name != home.name]
    return {port for other in others for port in settings.load(other)["ports"].values()}


def _service(home: Path, project: str, port: int) -> Service:
    found = processes.running(home, project)
    taken = sum(memory.proportional(one.pid) for one in processes.members(home, [project]))
    return Service(project, found.pid if found else None, port, processes.state(home, project), taken)


def _sandbox(home: Path, clouds_file: Path) -> Sandbox:
    found = settings.load(home)
    return Sandbox(
        name=home.name,
        home=home,
        cloud=access.cloud(home.name),
        clouds_file=clouds_file,
        urls={project: f"http://127.0.0.1:{port}" for project, port in found["ports"].items()},
        hosts={host: home / "hosts" / host for host in found["hosts"]},
    )


@contextmanager
def _held(home: Path, progress: Say) -> Iterator[None]:
    """Hold the sandbox's lock, saying so while another process does."""
    ticker = Ticker(progress)
    waiting = f"sandbox {home.name}: waiting for another command that starts or stops it"
    with processes.lock(processes.lock_path(home), lambda: ticker.tick(lambda: waiting)):
        yield
