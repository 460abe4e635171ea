"""Template databases: made once per version on this machine, then copied into every new sandbox."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stackbook.sandbox import installation, settings
from stackbook.sandbox.inside.openstack_sandbox import processes
from stackbook.sandbox.jobs import Job, Say, run_all
from stackbook.sandbox.recipe import Recipe

KEPT = 3


def ensure(recipe: Recipe, python: Path, say: Say) -> Path:
    """The folder of the template, made unless it is there."""
    parent, name = installation.folder(recipe), f"template-{recipe.template_key}"
    with installation.held(recipe, say):
        if not (parent / name).exists():
            with installation.draft(parent, name) as building:
                _prepare(recipe, python, building, say)
                for needless in ("hosts", "run"):
                    shutil.rmtree(building / needless, ignore_errors=True)
            _prune(parent)
        os.utime(parent / name)
    return parent / name


def copy(template: Path, home: Path) -> None:
    """Give the sandbox at `home` the databases of `template`, in place of any it has."""
    shutil.rmtree(home / "data", ignore_errors=True)
    shutil.copytree(template / "data", home / "data", symlinks=True)


def _prepare(recipe: Recipe, python: Path, home: Path, say: Say) -> None:
    unused = {project: number for number, project in enumerate(recipe.projects, start=1)}
    settings.save(home, settings.fresh("template", recipe, ports=unused))
    jobs = [
        Job(
            f"databases of {project}",
            [str(python), "-m", "openstack_sandbox", "configure,prepare", project, str(home)],
            installation.folder(recipe) / "log" / f"prepare-{project}.log",
            processes.environment(home, project, str(recipe.inside)),
        )
        for project in recipe.projects
    ]
    run_all(jobs, say, at_once=min(os.cpu_count() or 1, 4))


def _prune(parent: Path) -> None:
    """Remove all but the templates used last; every change of the code makes another."""
    templates = sorted(parent.glob("template-*"), key=lambda path: path.stat().st_mtime)
    for old in templates[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
