"""Small package repositories made on the spot, and hosts whose real packagers work on the host's own folder."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SPEC = (
    "Name: {name}\nVersion: {version}\nRelease: 1\nSummary: x\nLicense: x\nBuildArch: noarch\n{more}\n%description\nx\n%files\n"
)
AS_ROOT = () if os.geteuid() == 0 else ("unshare", "--user", "--map-root-user")
"""Packagers change the owners of files, which only root can; in a namespace of its own that is anyone."""
CONTROL = "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n{more}"


def program(root: Path, name: str, command: list[str], env: str = "") -> None:
    """A program of the host that calls this machine's own on the host's folder."""
    path = root / "usr/bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    real = shutil.which(name)
    assert real, f"{name} is not installed: run `make system`"
    path.write_text(f'#!/bin/sh\n{env}exec {" ".join([*AS_ROOT, real, *command])} "$@"\n')
    path.chmod(0o755)


def deb(folder: Path, name: str, version: str, more: str = "") -> None:
    """Build a package with one file into a repository, and add it to the index."""
    tree = folder / f"{name}_{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(CONTROL.format(name=name, version=version, more=more))
    (tree / "opt").mkdir()
    (tree / "opt" / name).write_text(f"{name} {version}\n")
    made = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, made], check=True, capture_output=True)
    told = subprocess.run(["dpkg-deb", "-f", made], check=True, capture_output=True, text=True).stdout
    content = made.read_bytes()
    with (folder / "Packages").open("a") as index:
        index.write(f"{told}Filename: ./{made.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n\n")


def debian(root: Path, repository: Path) -> None:
    """Make `root` a Debian host with an empty dpkg database, whose apt knows one repository."""
    for folder in ("etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/apt/lists", "var/cache/apt/archives"):
        (root / folder).mkdir(parents=True)
    for folder in ("var/lib/dpkg/updates", "var/log/apt"):
        (root / folder).mkdir(parents=True)
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    (root / "var/lib/dpkg/status").write_text("")
    (root / "apt.conf").write_text(
        f'Dir "{root}"; Dir::State::status "{root}/var/lib/dpkg/status"; APT::Sandbox::User "root";\n'
        'Dir::Bin::methods "/usr/lib/apt/methods";\n'
        f'DPkg::Options {{ "--root={root}"; "--force-not-root"; "--log=/dev/null"; }};\n'
    )
    program(root, "dpkg-query", [f"--admindir={root}/var/lib/dpkg"])
    program(root, "apt-get", [], env=f"export APT_CONFIG={root}/apt.conf\n")
    subprocess.run([root / "usr/bin/apt-get", "-qq", "update"], check=True, capture_output=True)


def rpm(repository: Path, name: str, version: str, more: str = "") -> None:
    """Build a package without files into a repository."""
    spec = repository / f"{name}.spec"
    spec.write_text(SPEC.format(name=name, version=version, more=more))
    places = ["--define", f"_topdir {repository}/build", "--define", f"_rpmdir {repository}"]
    subprocess.run(["rpmbuild", "--quiet", *places, "-bb", spec], check=True, capture_output=True)


def redhat(root: Path, repository: Path) -> None:
    """Make `root` a host of the RHEL family with an empty rpm database, whose dnf knows one repository."""
    subprocess.run(["createrepo_c", "-q", repository], check=True, capture_output=True)
    (root / "var/lib/rpm").mkdir(parents=True)
    source = [f"--repofrompath=t,file://{repository}", "--repo=t", "--nogpgcheck", "--releasever=9"]
    program(root, "dnf", [f"--installroot={root}", *source, f"--setopt=cachedir={repository}/cache"])
    program(root, "rpm", [f"--root={root}"])
