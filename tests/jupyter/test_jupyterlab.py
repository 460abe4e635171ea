"""A runbook in JupyterLab, in a real browser: from the plan to the proof, with the same gate and record as headless."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

from tests.jupyter.lab import Notebook, Server, serve

if TYPE_CHECKING:
    from openstack.connection import Connection
    from playwright.sync_api import Browser, Page

NETWORK, PORT = "vlan204", "web-port"
TO_THE_PLAN = ("site: str", "connect(site", "before = survey", "stops = preflight", "desired =", "planned = plan")
APPLY = "outcome = apply"
SETTINGS = '[sites.sandbox]\nlayout = "sandbox"\nsandbox = "{}"\n'


def stackbook(*words: str) -> str:
    """What the command prints, run in the current folder."""
    return subprocess.run(
        [sys.executable, "-m", "stackbook", *words], capture_output=True, text=True, timeout=120, check=True
    ).stdout


@pytest.fixture
def network(cloud: Connection) -> Iterator[str]:
    """The network that the runbook's parameters name; it goes again with its ports."""
    made = cloud.network.create_network(name=NETWORK)
    try:
        cloud.network.create_subnet(network_id=made.id, name="vlan204-v4", ip_version=4, cidr="192.0.2.0/24")
        yield made.name
    finally:
        for port in cloud.network.ports(network_id=made.id):
            cloud.network.delete_port(port)
        cloud.network.delete_network(made)


@pytest.fixture(scope="module")
def opened(sandbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a fresh workspace."""
    folder = tmp_path_factory.mktemp("workspace")
    stackbook("init", str(folder))
    (folder / "stackbook.toml").write_text(SETTINGS.format("tests"))
    started = serve(folder)
    try:
        yield started
    finally:
        started.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.process.wait(20)
        started.process.kill()


@pytest.fixture
def server(opened: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """That JupyterLab, its workspace the current folder."""
    monkeypatch.chdir(opened.workspace)
    return opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A window of the browser."""
    context = browser.new_context(viewport={"width": 1280, "height": 1100})
    try:
        yield context.new_page()
    finally:
        context.close()


def runs() -> list[dict[str, Any]]:
    """What ``stackbook runs`` tells, newest first."""
    found: list[dict[str, Any]] = json.loads(stackbook("runs", "--json"))
    return found


def test_from_plan_to_proof(page: Page, server: Server, network: str, cloud: Connection) -> None:
    """Cell by cell: a coloured plan; a short refusal; the digest approved; the proofs; a true record and its report.

    Without its sandbox, the cell that connects names the command that makes it. No news, no request but to the server.
    """
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    book = Notebook(page, server, "fixed-ip")
    assert (sys.executable, server.workspace / "notebooks") in server.kernels()
    shown = [book.run(source) for source in TO_THE_PLAN][-1]
    digest = shown.locator(".sb-head code").inner_text()
    assert re.fullmatch(r"p-[0-9a-f]{8}", digest)
    assert shown.locator("ins", has_text="192.0.2.50").count() == 1

    refused = book.run(APPLY).inner_text()
    assert refused.startswith(f"PlanNotApproved: plan {digest} is not approved")
    assert f'approve = "{digest}"' in refused and "Traceback" not in refused
    assert not list(cloud.network.ports(name=PORT))

    book.change("approve", f'approve: str = "{digest}"')
    book.run("site: str")
    assert "run all cells below the parameters again" in book.run(APPLY).inner_text()
    for source in TO_THE_PLAN[1:]:
        book.run(source)
    applied = book.run(APPLY).inner_text()
    assert f"create   port/{network}/{PORT}" in applied and "1 of 1 changes made" in applied
    assert "nothing left to do" in book.run("verify(planned").locator(".sb-good").inner_text()
    assert "nothing else changed" in book.run("untouched(").locator(".sb-good").inner_text()
    assert [port.fixed_ips[0]["ip_address"] for port in cloud.network.ports(name=PORT)] == ["192.0.2.50"]

    settings = server.workspace / "stackbook.toml"
    settings.write_text(SETTINGS.format("absent"))
    book.run("site: str")
    told = book.run("connect(site").inner_text()
    assert told.startswith("BadInput: sandbox 'absent' does not exist yet")
    assert "stackbook sandbox up --name absent" in told and "Traceback" not in told
    settings.write_text(SETTINGS.format("tests"))

    assert page.locator(".jp-Dialog, .jp-toastContainer *").count() == 0
    assert not [url for url in asked if not url.startswith((server.url, "data:", "blob:", server.url.replace("http", "ws")))]
    _report_of_the_runs(page, digest)


def _report_of_the_runs(page: Page, digest: str) -> None:
    """Both runs are listed as what they are; the second one's report has plan, proofs and the way back."""
    newest, first = runs()
    assert (newest["status"], newest["done"], newest["digest"]) == ("applied", 1, digest)
    assert (first["status"], first["done"], first["digest"]) == ("planned", 0, digest)
    report = Path(stackbook("report", newest["run"]).strip())
    page.goto(report.as_uri())
    told = page.locator("body").inner_text()
    for words in ("Applied", "192.0.2.50", "nothing left to do", "nothing else changed", f"stackbook undo {newest['run']}"):
        assert words in told, words


def test_a_form_plans_and_applies(page: Page, server: Server, network: str, cloud: Connection) -> None:
    """Fields changed, Plan pressed: the plan shows and nothing is made; Apply pressed: it is made and proved."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell('from stackbook.widgets import form\nform("fixed-ip")')])
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(made, server.workspace / "notebooks" / "form.ipynb")
    book = Notebook(page, server, "form")
    shown = book.run("form(")
    plan, apply = (shown.get_by_role("button", name=name) for name in ("Plan", "Apply"))
    assert apply.is_disabled()
    shown.get_by_label("ip", exact=True).fill("192.0.2.77")
    plan.click()
    shown.locator("ins", has_text="192.0.2.77").wait_for()
    assert apply.is_enabled() and not list(cloud.network.ports(name=PORT))
    apply.click()
    shown.locator(".sb-good", has_text="nothing left to do").wait_for()
    assert [port.fixed_ips[0]["ip_address"] for port in cloud.network.ports(name=PORT)] == ["192.0.2.77"]
    assert [(run["status"], run["done"]) for run in runs()[:2]] == [("applied", 1), ("planned", 0)]
