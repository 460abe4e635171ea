"""Run folders as the runner leaves them, composed from the shipped runbooks' prose and what the package really renders."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stackbook.engine.apply import Outcome
from stackbook.errors import PlanNotApproved, StackbookError
from stackbook.plans import Change, Plan
from stackbook.proof import Proof
from stackbook.tables import Survey

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
HOSTILE = '<script>document.title="owned"</script><img src=x onerror="document.title=\'owned\'">'
REQUEST = "req-7c5f2b1e-1d8a-4f8e-9d1d-3f4f5a6b7c8d"
INI = "/etc/neutron/plugins/ml2/openvswitch_agent.ini"
Values = dict[str, Any]
Output = dict[str, Any]
Rows = list[dict[str, Any]]


def plan(name: str = "vlan204") -> Plan:
    """Two configuration lines, a restart, a network and a subnet."""
    network = {"kind": "network", "name": name}
    option = {"kind": "ini-option", "host": "compute1", "path": INI}
    ranges = {"before": None, "after": ["default:1:4094"]}
    return Plan(
        "sandbox",
        (
            _update(option, f"ini-option/compute1{INI}/ovs/bridge_mappings", "value", None, "default:br-ex"),
            _update(
                option,
                "ini-option/controller1/etc/neutron/plugins/ml2/ml2_conf.ini/ml2_type_vlan/network_vlan_ranges",
                "value",
                *ranges.values(),
            ),
            _update({"kind": "service", "host": "compute1"}, "service/compute1/neutron-openvswitch-agent", "fresh", False, True),
            Change(
                "create",
                network,
                f"network/{name}",
                {},
                {"physical_network": "default", "segmentation_id": 204, "mtu": None, "shared": True},
            ),
            Change(
                "create",
                {"kind": "subnet", "name": f"{name}-v4"},
                f"subnet/{name}-v4",
                {},
                {"cidr": "192.0.2.0/24", "dns_nameservers": []},
            ),
        ),
        kept=2,
    )


def mixed() -> Plan:
    """Every action, a change of several lines, and one that can't be undone."""
    record = {"kind": "server", "name": "web1"}
    before = "[ovs]\nlocal_ip = 10.0.0.11\nintegration_bridge = br-int\n# keep\nbridge_mappings ="
    after = before.replace("bridge_mappings =", "bridge_mappings = default:br-ex")
    return Plan(
        "sandbox",
        (
            _update({"kind": "file", "host": "compute1"}, f"file/compute1{INI}", "content", before, after),
            Change("replace", record, "server/web1", {"status": "ERROR"}, {"status": "ACTIVE"}, id="5f0c", reason="in ERROR"),
            Change(
                "delete",
                {"kind": "volume", "name": "old"},
                "volume/old",
                {"size": 10, "type": "lvm"},
                {},
                reversible=False,
                id="77aa",
            ),
        ),
    )


def survey() -> Survey:
    """Pools, networks and agents, with numbers, ids and gaps."""
    pools: Rows = [
        {
            "name": f"controller{n}@lvm#lvm",
            "total_capacity_gb": 100.0 * n,
            "allocated_capacity_gb": 37 * n,
            "free_capacity_gb": 63.0 * n,
            "thin": n > 1,
        }
        for n in (1, 2)
    ]
    networks: Rows = [
        {
            "name": name,
            "id": f"0d7e1f6a-5b1c-4c2e-8f7a-{n:012x}",
            "status": "ACTIVE",
            "mtu": mtu,
            "provider:segmentation_id": vlan,
            "shared": bool(vlan),
        }
        for n, (name, mtu, vlan) in enumerate([("public", 1500, None), ("vlan203", 1500, 203), ("tenant-a", 1450, 1027)])
    ]
    agents: Rows = [
        {"host": host, "binary": "neutron-openvswitch-agent", "alive": True, "configurations": {"bridge_mappings": {}}}
        for host in ("compute1", "compute2")
    ]
    return Survey({"pools": pools, "networks": networks, "agents": agents})


def folder(runs: Path, name: str, record: Mapping[str, Any], notebook: Mapping[str, Any] | None) -> Path:
    """A run's folder with its record and notebook."""
    place = runs / name
    place.mkdir(parents=True, mode=0o700)
    (place / "run.json").write_text(json.dumps({**about(name), **record}, default=str))
    if notebook is not None:
        (place / "notebook.ipynb").write_text(json.dumps(notebook))
    return place


def about(name: str) -> Values:
    """What every record holds."""
    return {
        "run": name,
        "runbook": "provider-vlan",
        "site": "sandbox",
        "status": "planned",
        "digest": plan().digest,
        "changes": [change.record() for change in plan()],
        "done": 0,
        "findings": [],
        "started": "2026-11-23T14:05:01.120Z",
        "finished": "2026-11-23T14:05:09.870Z",
        "request_id": REQUEST,
        "user": "lea",
        "parameters": {"vlan": 204, "cidr": "192.0.2.0/24"},
        "versions": {"stackbook": "0.1.0", "python": "3.11.2", "openstacksdk": "4.22.0"},
        "error": None,
    }


def executed(runbook: str, outputs: Sequence[Sequence[Output] | None]) -> Values:
    """A shipped runbook as if executed: outputs for its code cells in order; None for those that were not reached."""
    notebook: Values = json.loads((NOTEBOOKS / f"{runbook}.ipynb").read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, cell in enumerate(code):
        found = outputs[number] if number < len(outputs) else None
        failed = any(output["output_type"] == "error" for output in found or ())
        status = "skipped" if found is None else "failed" if failed else "completed"
        cell["outputs"], cell["execution_count"] = list(found or ()), None if found is None else number + 1
        cell["metadata"]["papermill"] = {"status": status, "duration": None if found is None else 0.21 * (number + 1)}
    return notebook


def result(shown: Any) -> Output:
    """The output of a cell that ends with `shown`."""
    return {
        "output_type": "execute_result",
        "data": {"text/plain": repr(shown), "text/html": shown._repr_html_()},
        "metadata": {},
        "execution_count": 1,
    }


def printed(text: str, name: str = "stdout") -> Output:
    """What a cell printed."""
    return {"output_type": "stream", "name": name, "text": text}


def raised(error: Exception) -> Output:
    """An error as IPython writes it into a notebook."""
    name = type(error).__name__
    trace = (
        error._render_traceback_()
        if isinstance(error, StackbookError)
        else ["\x1b[0;31m----\x1b[0m", "Traceback (most recent call last)", f"\x1b[31m{name}\x1b[0m: {error}"]
    )
    return {"output_type": "error", "ename": name, "evalue": str(error), "traceback": trace}


class Shown:
    """A plan as a notebook shows it."""

    def __init__(self, shown: Plan) -> None:
        self.plan = shown

    def __repr__(self) -> str:
        from stackbook.render.text import plan_text

        return plan_text(self.plan)

    def _repr_html_(self) -> str:
        from stackbook.render.html import plan_html

        return plan_html(self.plan)


def empty(claim: str) -> Output:
    """A proof that holds."""
    return result(Proof(claim))


def planned(runs: Path, name: str = "20261123T140501-provider-vlan-3f9c") -> Path:
    """A run that waits for its plan to be approved."""
    found = plan()
    error = PlanNotApproved(
        f"plan {found.digest} is not approved",
        hint=f"read the plan above, then  stackbook run provider-vlan … --approve {found.digest}",
    )
    outputs = [[], [], [result(survey())], [empty("nothing in the way")], [], [result(Shown(found))], [raised(error)]]
    return folder(runs, name, {"error": error.record()}, executed("provider-vlan", outputs))


def applied(runs: Path, name: str = "20261123T141200-provider-vlan-8a01") -> Path:
    """A run that made its changes and proved them."""
    found = plan()
    lines = "".join(f"{change.action:8} {change.address} … done in 0.4 s\n" for change in found)
    done = Outcome("applied", found.digest, len(found), len(found), 3.42, name)
    proofs = [empty("a port binds on every compute host")], [empty("nothing else changed")]
    outputs = [
        [],
        [],
        [result(survey())],
        [empty("nothing in the way")],
        [],
        [result(Shown(found))],
        [printed(lines), result(done)],
        *proofs,
    ]
    record = {"status": "applied", "done": len(found), "verified": [], "untouched": [], "by": "digest"}
    return folder(runs, name, record, executed("provider-vlan", outputs))


def failed(runs: Path, name: str = "20261123T143000-provider-vlan-77d0") -> Path:
    """A run that a preflight row and then an unforeseen error ended; its plan has every action."""
    found = mixed()
    stops = Proof(
        "nothing in the way",
        [
            {
                "check": "Open vSwitch agent on compute2",
                "found": "does not report",
                "expected": "alive",
                "hint": "systemctl status neutron-openvswitch-agent on compute2",
            }
        ],
    )
    outputs = [
        [],
        [],
        [result(survey())],
        [result(stops)],
        [],
        [result(Shown(found))],
        [printed("warning: slow\n", "stderr"), raised(ValueError("no answer within 60 s"))],
    ]
    record = {
        "status": "failed",
        "digest": found.digest,
        "changes": [{**c.record(), "state": state} for c, state in zip(found, ("done", "failed", "planned"), strict=True)],
        "done": 1,
        "error": {"type": "ValueError", "what": "no answer within 60 s", "found": None, "hint": None},
    }
    return folder(runs, name, record, executed("provider-vlan", outputs))


BAD_HTML = (
    HOSTILE + '<a href="javascript:alert(1)">x</a><iframe src="//example.org"></iframe>'
    '<div style="background:url(http://example.org/x)" onclick="x()" class="rp-card rp-good">y</div>'
    '<link rel=stylesheet href=http://example.org/a.css><base href="http://example.org/"><form action="http://example.org/">'
    '<meta http-equiv=refresh content="0;url=http://example.org/"><math><mi xlink:href="javascript:x()">m</mi></math>'
)
BAD_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9" onload="document.title=1">'
    '<script>document.title="owned"</script><style>@import "http://example.org/a.css";</style>'
    '<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><b onclick="x()">owned</b></body></foreignObject>'
    '<image href="http://example.org/p.png"/><use href="http://example.org/u.svg#x"/><a href="javascript:x()"><text>t</text></a>'
    '<rect width="9" height="9" fill="#000" style="fill:url(http://example.org/f)"/>'
    '<animate attributeName="href" to="javascript:x()"/>'
    "</svg>"
)


def hostile(runs: Path) -> Path:
    """A run whose names, parameters, log lines and outputs try to be markup."""
    outputs = [
        [],
        [printed(HOSTILE + "\x1b[31mred\x1b[0m"), _displayed("text/html", BAD_HTML)],
        [_displayed("image/svg+xml", BAD_SVG)],
        [result(Proof(HOSTILE, [{HOSTILE: HOSTILE, "id": "x" * 2000}]))],
        [_displayed("application/javascript", "document.title='owned'")],
        [result(Shown(plan(HOSTILE)))],
        [raised(PlanNotApproved(HOSTILE, found=[HOSTILE], hint=HOSTILE))],
    ]
    notebook = executed("provider-vlan", outputs)
    source = f"## {HOSTILE}\n\n{HOSTILE}\n\n[x](javascript:alert(1)) ![p](http://example.org/x.png)"
    notebook["cells"].insert(1, {"cell_type": "markdown", "metadata": {}, "source": source})
    notebook["cells"].append({"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": HOSTILE})
    named = dict.fromkeys(("site", "user", "runbook", "request_id", "status", "digest"), HOSTILE)
    finding = dict.fromkeys(("level", "subject", "summary", "hint"), HOSTILE)
    record = {**named, "parameters": {"name": HOSTILE, HOSTILE: 1}, "findings": [finding], "versions": {HOSTILE: HOSTILE}}
    return folder(runs, "20261123T150000-hostile-0bad", record, notebook)


def inventory(runs: Path) -> Path:
    """A run without a plan: tables, a DataFrame as pandas shows it, and a figure."""
    import pandas as pd

    table = pd.DataFrame(survey().rows["pools"])
    frame = {
        "output_type": "execute_result",
        "data": {"text/plain": repr(table), "text/html": pandas_html(table)},
        "metadata": {},
        "execution_count": 1,
    }
    figure = {
        "output_type": "display_data",
        "data": {"image/svg+xml": _figure()},
        "metadata": {"image/svg+xml": {"alt": "Used of total capacity by pool"}},
    }
    findings = [
        {
            "level": "warning",
            "subject": "pool controller1@lvm#lvm",
            "summary": "93 % allocated",
            "hint": "extend the volume group, or add a pool",
        },
        {"level": "info", "subject": "image cirros", "summary": "unused for 90 days", "hint": ""},
    ]
    outputs = [[], [], [result(survey()), figure], [frame]]
    record: Values = {
        "runbook": "inventory",
        "status": "unchanged",
        "digest": None,
        "changes": [],
        "findings": findings,
        "parameters": {},
    }
    return folder(runs, "20261123T120000-inventory-1c2d", record, executed("inventory", outputs))


def pandas_html(table: Any) -> str:
    """A DataFrame as a notebook shows it."""
    return str(table._repr_html_())


def _displayed(kind: str, data: str) -> Output:
    return {"output_type": "display_data", "data": {kind: data}, "metadata": {}}


def _update(resource: Values, address: str, field: str, before: Any, after: Any) -> Change:
    return Change("update", resource, address, {field: before}, {field: after})


def _figure() -> str:
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    from stackbook.render.figure import Drawing

    figure, axes = plt.subplots(figsize=(5, 1.8))
    axes.barh(["lvm", "nfs"], [100, 200], color="#9aa5b1")
    axes.barh(["lvm", "nfs"], [37, 74], color="#3b82d0")
    axes.set_xlabel("GiB")
    return Drawing(figure, "Used of total capacity by pool").svg
