"""Planted passwords reach no file of runs/."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from openstack.connection import Connection

from stackbook.config import sandbox_settings

from .conftest import Command

PLANTED = "s3cr3t-planted-97d1"
RAISES = """\
auth = cloud.conn.config.config["auth"]
print("signed in with", auth)
print("db_password = {planted}", "mysql+pymysql://nova:{planted}@192.0.2.1/nova")
raise RuntimeError(f"can't sign in with password={{auth['password']}} and {planted_url}")
"""


@pytest.fixture
def cloud_entry(workspace: Path, sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A clouds.yaml in the current folder, with the sandbox's real password; returns that password."""
    settings = sandbox_settings("tests")
    auth = {
        "auth_url": f"http://127.0.0.1:{settings['ports']['keystone']}/v3",
        "username": "admin",
        "password": settings["admin_password"],
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    path = workspace / "clouds.yaml"
    path.write_text(json.dumps({"clouds": {"planted": {"auth": auth, "region_name": "RegionOne"}}}))
    path.chmod(0o600)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(path))
    return str(settings["admin_password"])


def leaky(path: Path) -> Path:
    """A runbook that prints credentials and fails with them in its traceback."""
    url = f"http://admin:{PLANTED}@192.0.2.1/"
    source = RAISES.format(planted=PLANTED, planted_url=url)
    parameters = nbformat.v4.new_code_cell('site: str = "planted"  # site', metadata={"tags": ["parameters"]})
    start = nbformat.v4.new_code_cell(
        'from stackbook import connect\ncloud = connect(site, runbook="leaky")\ncloud.conn.identity'
    )
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("# Leaky"), parameters, start, nbformat.v4.new_code_cell(source)]
    )
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)
    return path


def test_no_secret_in_any_file(stackbook: Command, workspace: Path, cloud_entry: str, cloud: Connection) -> None:
    """Passwords in clouds.yaml, in a server's metadata and in a traceback are in no file of runs/."""
    image, flavor = cloud.image.find_image("sandbox-linux"), cloud.compute.find_flavor("m1.tiny")
    network = cloud.network.create_network(name="secrets")
    cloud.network.create_subnet(network_id=network.id, cidr="198.51.100.0/28", ip_version=4)
    about = {"image_id": image.id, "flavor_id": flavor.id, "networks": [{"uuid": network.id}]}
    server = cloud.compute.create_server(name="secrets", metadata={"db_password": PLANTED}, **about)
    cloud.compute.wait_for_server(server)
    try:
        assert stackbook("run", "inventory", "--site", "planted")[0] == 0
        code, failed = stackbook("run", str(leaky(workspace / "leaky.ipynb")))
        assert (code, failed["status"]) == (1, "failed")
    finally:
        cloud.compute.delete_server(server)
        cloud.compute.wait_for_delete(server)
        cloud.network.delete_network(network)
    files = [path for path in (workspace / "runs").rglob("*") if path.is_file()]
    assert {"report.html", "notebook.ipynb", "run.json", "journal.jsonl", "log.txt"} <= {path.name for path in files}
    for secret in (PLANTED, cloud_entry):
        assert [str(path) for path in files if secret.encode() in path.read_bytes()] == []
    assert not [path for path in files if path.stat().st_mode & 0o077], "files of a run are private"
