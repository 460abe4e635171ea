"""What the APIs' answers say about a failure: agents, services, mappings, room, addresses, images.

A finding tells how things are now, so it explains only what a log or a fault points to, or stands alone for a subject that
shows no symptom.
"""

from __future__ import annotations

from stackbook.logs.chain import Hit
from stackbook.logs.findings.case import Case, Rule
from stackbook.logs.findings.compute import compute_hosts, control, room
from stackbook.logs.findings.networks import addresses, agents, mappings, ports
from stackbook.logs.findings.quotas import quotas
from stackbook.logs.findings.storage import images, pools, volume_hosts, volumes
from stackbook.logs.signatures import Signatures

__all__ = ["Case", "findings"]
RULES: tuple[Rule, ...] = (
    mappings,
    agents,
    addresses,
    ports,
    compute_hosts,
    control,
    room,
    volume_hosts,
    pools,
    volumes,
    images,
    quotas,
)


def findings(case: Case, known: Signatures) -> list[Hit]:
    """Every finding that the APIs' answers give."""
    return [Hit(known[id], evidence) for rule in RULES for id, evidence in rule(case)] if case.answers.reachable else []
