"""Volumes and images: services, pools, states that last too long, images that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from stackbook.logs.findings.case import Case, Told, finding
from stackbook.logs.subject import moment

PASSING = (
    "creating",
    "deleting",
    "attaching",
    "detaching",
    "extending",
    "downloading",
    "uploading",
    "reserved",
    "retyping",
    "maintenance",
)
"""States that a volume leaves by itself."""
PATIENCE = timedelta(minutes=10)
"""How long a volume may be in one of them."""


def volume_hosts(case: Case) -> Iterator[Told]:
    """Volume services that are down or disabled."""
    for service in case.answers.volume_services:
        if service["binary"] != "cinder-volume":
            continue
        host, asked = service["host"], "GET /v3/os-services"
        if service.get("state") == "down":
            text = f"cinder-volume {host} is down (last report {service.get('updated_at')})"
            yield finding("volume-service-down", asked, text, time=service.get("updated_at"), backend=host)
        elif service.get("status") == "disabled":
            yield finding(
                "volume-service-disabled",
                asked,
                f"cinder-volume {host} is disabled ({service.get('disabled_reason') or 'no reason given'})",
                backend=host,
            )


def pools(case: Case) -> Iterator[Told]:
    """Pools without room for the volume."""
    size = int(case.subject.row.get("size") or 0) if case.subject.kind == "volume" else 0
    if not case.seen("cinder-no-backend", "cinder-capacity"):
        return
    for pool in case.answers.rows("block_storage", "/scheduler-stats/get_pools?detail=True", "pools"):
        free = (pool.get("capabilities") or {}).get("free_capacity_gb")
        if isinstance(free, (int, float)) and free < max(size, 1):
            yield finding(
                "pool-full",
                "GET /v3/scheduler-stats/get_pools",
                f"pool {pool['name']} has {free} GiB free; {size or 'a'} GiB asked",
                pool=pool["name"],
            )


def volumes(case: Case) -> Iterator[Told]:
    """Volumes of the subject that have been in a passing state for too long."""
    listed = [case.subject.row] if case.subject.kind == "volume" else case.subject.related.get("volumes", [])
    for volume in listed:
        since = moment(volume.get("updated_at") or volume.get("created_at"))
        if volume.get("status") in PASSING and since and datetime.now(UTC) - since > PATIENCE:
            text = f"volume {volume.get('name') or volume['id']} has been {volume['status']} since {since:%Y-%m-%d %H:%M} UTC"
            yield finding(
                "volume-stuck",
                f"GET /v3/volumes/{volume['id']}",
                text,
                time=since,
                linked=True,
                volume=volume["id"],
                status=volume["status"],
            )


def images(case: Case) -> Iterator[Told]:
    """Images that the subject needs and that are gone or not active."""
    known = {row["id"]: row for row in case.subject.related.get("images", [])}
    for image in dict.fromkeys([*known, *case.named("image")]):
        row = known.get(image) or case.answers.get("image", f"/images/{image}")
        if row is None:
            yield finding("image-gone", f"GET /v2/images/{image}", f"image {image} does not exist", image=image)
        elif row.get("status") != "active":
            yield finding(
                "image-inactive",
                f"GET /v2/images/{image}",
                f"image {row.get('name')} is {row.get('status')}",
                image=image,
                status=row.get("status"),
            )
