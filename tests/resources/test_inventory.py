"""The inventory of the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stackbook.errors import BadInput
from stackbook.resources import inventory
from stackbook.resources.inventory import KINDS, ON_DEMAND, UNAVAILABLE, collect
from tests.resources.conftest import NewSite

if TYPE_CHECKING:
    from openstack.connection import Connection


def test_every_kind(new_site: NewSite, image: Any, flavor: Any, network: Any, subnet: Any) -> None:
    """All kinds are listed with the API's own keys, none refused to an administrator."""
    found = collect(new_site(), KINDS)
    assert list(found) == list(KINDS)
    assert not [kind for kind, rows in found.items() for row in rows if UNAVAILABLE in row]
    assert image.id in {row["id"] for row in found["images"]}
    row = next(row for row in found["networks"] if row["id"] == network.id)
    assert row["provider:network_type"] == "vxlan" and row["router:external"] is False
    assert {"total_capacity_gb", "free_capacity_gb", "name"} <= set(found["pools"][0])
    assert {row["service"] for row in found["services"]} == {"compute", "volume"}


def test_hypervisors_with_real_numbers(new_site: NewSite) -> None:
    """What nova no longer tells comes from placement."""
    rows = collect(new_site(), ["hypervisors"])["hypervisors"]
    assert len(rows) == 2 and all(row["vcpus"] > 0 and row["memory_mb"] > 0 and row["vcpus_used"] >= 0 for row in rows)


def test_what_is_listed_when_nothing_is_named(new_site: NewSite) -> None:
    """All but what costs much."""
    assert set(collect(new_site())) == set(KINDS) - ON_DEMAND


def test_page_after_page(new_site: NewSite, cloud: Connection, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one row to a page, each kind has the same rows as with one page."""
    made = [cloud.network.create_network(name=f"{name}-{number}") for number in range(3)]
    kept = [cloud.block_storage.create_volume(name=f"{name}-{number}", size=1) for number in range(3)]
    images = [cloud.image.post("/images", json={"name": name}).json()["id"] for _ in range(3)]
    try:
        kinds = ("networks", "volumes", "images", "flavors")
        whole = collect(new_site(), kinds)
        for kind in kinds:
            service, path, key, newest = inventory.LISTINGS[kind]
            single = path.split("limit=")[0].rstrip("&?")
            monkeypatch.setitem(
                inventory.LISTINGS, kind, (service, f"{single}{'&' if '?' in single else '?'}limit=1", key, newest)
            )
        single_rows = collect(new_site(), kinds)
        assert {kind: len(rows) for kind, rows in whole.items()} == {kind: len(rows) for kind, rows in single_rows.items()}
        assert {row["id"] for row in single_rows["networks"]} >= {network.id for network in made}
    finally:
        for network in made:
            cloud.network.delete_network(network)
        for volume in kept:
            cloud.block_storage.wait_for_status(volume, "available")
            cloud.block_storage.delete_volume(volume)
        for id in images:
            cloud.image.delete_image(id)


def test_what_is_refused_is_a_row(new_site: NewSite, cloud: Connection, name: str) -> None:
    """Without the administrator's role, what is not permitted says so, and everything else is listed."""
    user = cloud.identity.create_user(name=name, password="a-password-of-the-test")
    project = cloud.identity.find_project("admin")
    cloud.identity.assign_project_role_to_user(project, user, cloud.identity.find_role("reader"))
    site = new_site()
    site.__dict__["conn"] = cloud.connect_as(username=name, password="a-password-of-the-test", project_name="admin")
    try:
        found = collect(site, ("pools", "agents", "networks", "projects", "hypervisors"))
        assert all("does not permit" in found[kind][0][UNAVAILABLE] for kind in ("pools", "projects", "hypervisors"))
        assert not [row for row in found["networks"] if UNAVAILABLE in row]
    finally:
        cloud.identity.delete_user(user)


def test_an_unknown_kind(new_site: NewSite) -> None:
    """Refused with the kinds that there are."""
    with pytest.raises(BadInput, match="networks"):
        collect(new_site(), ["netwroks"])


def test_secrets_are_not_listed(new_site: NewSite, cloud: Connection, name: str) -> None:
    """A password that someone typed into a volume's metadata is not shown."""
    volume = cloud.block_storage.create_volume(name=name, size=1, metadata={"root_password": "correct-horse", "role": "web"})
    try:
        cloud.block_storage.wait_for_status(volume, "available")
        rows = collect(new_site(), ["volumes"])["volumes"]
        assert (
            "correct-horse" not in str(rows) and next(row for row in rows if row["id"] == volume.id)["metadata"]["role"] == "web"
        )
    finally:
        cloud.block_storage.delete_volume(volume)
