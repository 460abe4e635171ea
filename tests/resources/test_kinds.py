"""What holds for every kind of resource."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from stackbook import resources
from stackbook.errors import BadInput
from stackbook.plans import Resource, revive
from stackbook.resources import (
    Flavor,
    FloatingIP,
    Image,
    KeyPair,
    Network,
    Port,
    Project,
    Quota,
    RoleAssignment,
    Router,
    SecurityGroup,
    Server,
    Subnet,
    User,
    Volume,
)

FOLDER = Path(resources.__file__).parent
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBuIlFvq3GkNPfBLfMZVCMtHYBPeqyLUXdGc0WyEHwx"
SAMPLES: list[Resource] = [
    Network("n", physical_network="default", segmentation_id=204, project="p"),
    Subnet("s", "n", cidr="10.0.0.0/24", allocation_pools=["10.0.0.5-10.0.0.9"], host_routes=[("10.1.0.0/16", "10.0.0.1")]),
    Port("p", "n", ip_address="10.0.0.5", mac_address="FA:16:3E:00:00:01", security_groups=("web",)),
    SecurityGroup("web", rules=["ingress tcp 22", "ingress tcp 22"]),
    Router("r", subnets=("s",), routes=["10.1.0.0/16 via 10.0.0.1"]),
    FloatingIP("p", external_network="ext"),
    Project("p", description="d"),
    User("u", email="u@x", password_from="random"),
    RoleAssignment("member", user="u", project="p"),
    Quota("p", cores=20, gigabytes=1024),
    Flavor("f", ram=512, vcpus=1, disk=0, extra_specs={"a": 1}),
    KeyPair("k", KEY + " me@here"),
    Image("i", disk_format="qcow2", container_format="bare", properties={"os_type": "linux"}),
    Volume("v", size=1, metadata={"a": "1"}),
    Server("s", flavor="f", volume="v", ports=("p",)),
]


@pytest.mark.parametrize("resource", SAMPLES, ids=lambda resource: resource.kind)
def test_a_record_makes_the_resource_again(resource: Resource) -> None:
    """A journal's record, through JSON, is the same resource, with the same address and values."""
    import json

    again = revive(json.loads(json.dumps(resource.record())))
    assert (again.address, again.values, again.record()) == (resource.address, resource.values, resource.record())


def test_every_kind_is_sampled() -> None:
    """Each exported kind is among the samples, or has tests of its own beside these."""
    on_hosts = {
        "AnswerFile",
        "OvsBridge",
        "OvsExternalIds",
        "OvsPort",
        "File",
        "IniOption",
        "Package",
        "PhysicalVolume",
        "Service",
        "VolumeGroup",
    }
    elsewhere = on_hosts | {"Disk", "DiskImage", "ExportedFile"}
    assert {type(sample).__name__ for sample in SAMPLES} | elsewhere >= set(resources.__all__)


def test_kinds_do_not_import_one_another() -> None:
    """Files that define a kind import no other such file: what they share lies in files without kinds."""
    trees = {path.stem: ast.parse(path.read_text()) for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    kinds = {name for name, tree in trees.items() if any(_defines_kind(node) for node in ast.walk(tree))}
    wrong = [(name, other) for name in kinds for other in _imported(trees[name]) & kinds - {name}]
    assert kinds and set(wrong) <= {("disk", "volume")}  # a disk is a volume with content


def test_kinds_are_imported_when_they_are_asked_for() -> None:
    """Importing the package imports neither a kind nor openstacksdk, and a kind does not import openstacksdk."""
    code = (
        "import sys; from stackbook.resources import Server; "
        "import stackbook.resources as r; r.load(); "
        "print([m for m in sys.modules if m in ('openstack', 'pandas', 'requests')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_unknown_kind() -> None:
    """Named with those that there are."""
    with pytest.raises((AttributeError, ImportError), match="Network"):
        resources.Netwerk  # noqa: B018


@pytest.mark.parametrize(
    "make",
    [
        lambda: Network("n", physical_network="default", segmentation_id="204"),
        lambda: Network("n", mtu=True),
        lambda: Subnet("s", "n", cidr="10.0.0.0"),
        lambda: Port("p", "n", ip_address="10.0.0.5", fixed_ips=["10.0.0.6"]),
        lambda: Port("p", "n", mac_address="fa:16"),
        lambda: User("u", password_from="hunter2"),
        lambda: RoleAssignment("member", user="u"),
        lambda: RoleAssignment("member", user="u", group="g", project="p"),
        lambda: Quota("p", cores=-2),
        lambda: Flavor("f", ram=0, vcpus=1, disk=0),
        lambda: KeyPair("k", "-----BEGIN OPENSSH PRIVATE KEY-----"),
        lambda: Volume("v", size=0),
        lambda: Volume("v", image="i", snapshot="s"),
        lambda: Server("s", image="i", volume="v"),
        lambda: Image("i", file="/nowhere/at/all"),
    ],
)
def test_what_makes_no_resource(make: object) -> None:
    """Refused where it is written, with what was found."""
    with pytest.raises(BadInput) as refused:
        make()  # type: ignore[operator]
    assert "hunter2" not in str(refused.value)


def _defines_kind(node: ast.AST) -> bool:
    return isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "Resource" for base in node.bases)


def _imported(tree: ast.AST) -> set[str]:
    skipped = {child for node in ast.walk(tree) if isinstance(node, ast.If) for child in ast.walk(node)}
    whole = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node not in skipped and node.module]
    names = {alias.name for node in whole if node.module == "stackbook.resources" for alias in node.names}
    return names | {str(node.module).rsplit(".", 1)[1] for node in whole if str(node.module).startswith("stackbook.resources.")}
