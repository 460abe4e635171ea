"""The form of a runbook, without a browser: what it runs, what it offers, and what stands there in a headless run."""

from __future__ import annotations

import pytest

from stackbook.journal import RUN_VARIABLE
from stackbook.runbook.declarations import declared
from stackbook.widgets import Form, form, told_html

SOURCE = 'vlan: int = 204  # VLAN id\ncidr: str = "192.0.2.0/24"  # addresses\nsite: str = "sandbox"  # where'


def test_a_changed_field_takes_the_approval_back() -> None:
    """Apply is offered for the plan that was shown, and no longer once a field says something else."""
    made = Form("provider-vlan", list(declared(SOURCE)))
    assert made.apply.disabled
    made._await("p-05b3dce6")
    assert not made.apply.disabled and made.apply.description == "Apply p-05b3dce6"
    made.fields["vlan"].value = "205"
    assert made.apply.disabled and not made.digest


def test_the_command_names_what_was_changed() -> None:
    """Defaults stay the runbook's; the site and the digest are options of their own; hostile text is one word."""
    made = Form("provider-vlan", list(declared(SOURCE)))
    made.fields["cidr"].value = "192.0.2.0/25; rm -rf /"
    words = made._command("p-05b3dce6")[3:]
    expected = [
        "run",
        "provider-vlan",
        "--json",
        "--site",
        "sandbox",
        "-p",
        "cidr=192.0.2.0/25; rm -rf /",
        "--approve",
        "p-05b3dce6",
    ]
    assert words == expected


def test_a_headless_run_has_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody could press a button, the parameters stand in a table: no live widget, no steering parameter."""
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    monkeypatch.setenv(RUN_VARIABLE, "/tmp/run")
    assert list(form("provider-vlan")["parameter"])[-1] == "site"


def test_names_from_the_site_are_text() -> None:
    """Markup in a record is shown, not obeyed."""
    change = {"action": "create", "address": "port/<script>", "fields": {"name": {"before": None, "after": "<img src=x>"}}}
    html = told_html({"status": "planned", "digest": "p-05b3dce6", "changes": [change], "stops": []})
    assert "<script>" not in html and "<img" not in html and "&lt;img" in html and "p-05b3dce6" in html
