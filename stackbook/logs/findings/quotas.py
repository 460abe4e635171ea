"""Quotas that a log does not name."""

from __future__ import annotations

from collections.abc import Iterator

from stackbook.logs.findings.case import Case, Told, finding

MOST_PROJECTS = 30
"""Projects whose quotas are asked for, when the log does not say whose request it was."""
MENDED = ("network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule")
"""What the runbook project-quotas sets."""


def quotas(case: Case) -> Iterator[Told]:
    """Network quotas that are used up, of what a request was refused."""
    wanted = set(case.named("resource")) if case.seen("neutron-refused") else set()
    for project in case.answers.rows("identity", "/projects", "projects")[:MOST_PROJECTS] if wanted else ():
        path = f"/quotas/{project['id']}/details.json"
        for resource, told in (case.answers.one("network", path, "quota") or {}).items():
            limit, used = told.get("limit", -1), told.get("used", 0) + told.get("reserved", 0)
            if resource in wanted and 0 <= limit <= used:
                text = f"project {project['name']}: {used} of {limit} {resource}s in use"
                named = {"resource": resource, "project": project["name"], "used": used, "limit": limit}
                more = {"more": max(2 * limit, used + 10)} if resource in MENDED else {}
                yield finding("quota-full", f"GET /v2.0{path}", text, **named, **more)
