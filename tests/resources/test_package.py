"""Packages on hosts, with the real apt, dpkg, dnf and rpm working on a folder: planned, installed, removed, undone, refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackbook import Absent, apply, plan, plan_undo, verify
from stackbook.errors import BadInput, Refused
from stackbook.plans import Resource
from stackbook.resources import Package
from stackbook.resources.package import packager
from stackbook.resources.package_tools import Dnf
from stackbook.site import Site

from . import repositories
from .conftest import NewSite, undone

LIBRARY = "sb-library-with-a-name-that-is-far-longer-than-the-column-of-any-table-of-packages"


@pytest.fixture(scope="module", params=["debian", "redhat"])
def repository(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which sb-tool needs a library and sb-other is in conflict with sb-tool."""
    folder = tmp_path_factory.mktemp(request.param)
    build, needs = (repositories.deb, "Depends") if request.param == "debian" else (repositories.rpm, "Requires")
    build(folder, LIBRARY, "1.0")
    build(folder, "sb-tool", "1.0", f"{needs}: {LIBRARY}\n")
    build(folder, "sb-tool", "2.0", f"{needs}: {LIBRARY}\n")
    build(folder, "sb-other", "1.0", "Conflicts: sb-tool\n")
    return folder


@pytest.fixture
def site_of(repository: Path, hosts: NewSite, tmp_path: Path) -> NewSite:
    """A host with real packagers and that repository."""
    make = repositories.debian if "debian" in repository.name else repositories.redhat
    make(tmp_path / "h", repository)
    return hosts


def made(new_site: NewSite, *wanted: Resource | Absent) -> Site:
    """The site under whose run a plan was applied and verified."""
    site = new_site()
    planned = plan(wanted, site)
    apply(planned, site, planned.digest)
    assert verify(planned, site) == []
    return site


def installed(new_site: NewSite) -> dict[str, str]:
    """The packages of the host with their upstream version."""
    asked = packager(new_site().host("h"))
    found = {name: asked.installed(name) for name in ("sb-tool", "sb-other", LIBRARY)}
    return {name: version.split("-")[0] for name, version in found.items() if version}


def test_installed_and_taken_back(site_of: NewSite) -> None:
    """The newest version comes with what it needs; undo removes both."""
    site = made(site_of, Package(host="h", name="sb-tool"))
    assert installed(site_of) == {"sb-tool": "2.0", LIBRARY: "1.0"}
    undone(site, site_of)
    assert installed(site_of) == {}


def test_versions(site_of: NewSite, tmp_path: Path) -> None:
    """A version is replaced by an older one, and undo goes back to the newer."""
    release = "" if (tmp_path / "h/apt.conf").exists() else "-1"
    made(site_of, Package(host="h", name="sb-tool"))
    older = made(site_of, Package(host="h", name="sb-tool", version="1.0" + release))
    assert installed(site_of)["sb-tool"] == "1.0"
    undone(older, site_of)
    assert installed(site_of)["sb-tool"] == "2.0"


def test_a_removal_that_takes_more_along(site_of: NewSite) -> None:
    """It is refused while planning, by name and version; with the name given it is made, and undo brings both back."""
    made(site_of, Package(host="h", name="sb-tool"))
    with pytest.raises(Refused, match="1 more would be removed") as refused:
        plan([Absent(Package(host="h", name=LIBRARY))], site_of())
    assert "sb-tool 2.0" in str(refused.value)
    assert 'along=("sb-tool",)' in str(refused.value)
    gone = made(site_of, Absent(Package(host="h", name=LIBRARY, along=("sb-tool",))))
    assert installed(site_of) == {}
    undone(gone, site_of)
    assert installed(site_of) == {"sb-tool": "2.0", LIBRARY: "1.0"}


def test_an_installation_that_removes_others(site_of: NewSite) -> None:
    """A package in conflict with an installed one is refused, unless that may go; undo brings the removed one back."""
    made(site_of, Package(host="h", name="sb-tool"))
    with pytest.raises(Refused, match="sb-tool"):
        plan([Package(host="h", name="sb-other")], site_of())
    other = made(site_of, Package(host="h", name="sb-other", along=("sb-tool",)))
    assert set(installed(site_of)) == {"sb-other", LIBRARY}
    undone(other, site_of)
    assert installed(site_of) == {"sb-tool": "2.0", LIBRARY: "1.0"}


def test_undo_leaves_what_others_need_by_now(site_of: NewSite) -> None:
    """A dependency that an installation brought stays at its undo when another package came to need it."""
    library = made(site_of, Package(host="h", name=LIBRARY))
    made(site_of, Package(host="h", name="sb-tool"))
    later = site_of()
    planned = plan_undo(library.run, later)
    with pytest.raises(Refused, match="1 more would be removed"):
        apply(planned, later, planned.digest)
    assert installed(site_of) == {"sb-tool": "2.0", LIBRARY: "1.0"}


def test_what_no_repository_offers(site_of: NewSite) -> None:
    """An unknown name or version is refused while planning, with what the packager says."""
    for wanted in (Package(host="h", name="sb-none"), Package(host="h", name="sb-tool", version="9.9")):
        with pytest.raises(Refused, match="can't install") as refused:
            plan([wanted], site_of())
        assert refused.value.found and refused.value.hint


def test_nothing_to_remove(site_of: NewSite) -> None:
    """Absent asks nothing of a host that does not have the package."""
    assert len(plan([Absent(Package(host="h", name="sb-tool"))], site_of())) == 0


def test_a_host_without_packages(hosts: NewSite) -> None:
    """A host with neither database is refused."""
    with pytest.raises(Refused, match="neither dpkg's nor rpm's"):
        plan([Package(host="h", name="sb-tool")], hosts())


@pytest.mark.parametrize("wanted", [{"name": "-o"}, {"name": "foo-"}, {"name": "a b"}, {"version": "1 2"}, {"along": ("*",)}])
def test_names_that_a_packager_would_take_for_orders(wanted: dict[str, str]) -> None:
    """Options, patterns and apt's ``name-`` are no names."""
    with pytest.raises(BadInput):
        Package(**{"host": "h", "name": "sb-tool", **wanted})


def test_what_yum_tells() -> None:
    """The table of yum 3 (CentOS 7), with a long name on a line of its own."""
    told = """\
Resolving Dependencies
--> Running transaction check
================================================================================
 Package            Arch          Version                  Repository      Size
================================================================================
Removing:
 mariadb-libs       x86_64        1:5.5.68-1.el7           @anaconda      4.4 M
Removing for dependencies:
 postfix-with-a-name-longer-than-the-column
                    x86_64        2:2.10.1-9.el7           @anaconda       12 M

Transaction Summary
================================================================================
Remove  1 Package (+1 Dependent package)
"""
    found = Dnf.transaction(told)
    assert found.removed == {"mariadb-libs": "1:5.5.68-1.el7", "postfix-with-a-name-longer-than-the-column": "2:2.10.1-9.el7"}
    assert not found.installed
