"""Plans: before/after pairs, digests, and their undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.errors import BadInput, Refused
from stackbook.plans import Absent, Actual, Change, Plan, Resource, compare, diff, revive, same


@dataclass(frozen=True, kw_only=True)
class FakeBox(Resource):
    """A resource kept in a dict of the test."""

    kind: ClassVar[str] = "fake-box"
    fixed: ClassVar[frozenset[str]] = frozenset({"material"})

    name: str
    size: int | None = None
    colours: tuple[str, ...] | None = None
    labels: dict[str, str] | None = None
    material: str | None = None


values = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 9),
        "colours": st.lists(st.sampled_from("rgb"), max_size=3, unique=True).map(tuple),
        "labels": st.dictionaries(st.sampled_from("xy"), st.text(max_size=3), max_size=2),
    },
)
World = dict[str, dict[str, Any]]


def found(world: World, name: str) -> Actual | None:
    """What the world holds under a name."""
    return Actual(name, {"size": None, "colours": None, "labels": None, **world[name]}) if name in world else None


def make(world: World, change: Change) -> World:
    """The world after one pair."""
    name = change.resource["name"]
    if change.action == "delete":
        return {other: kept for other, kept in world.items() if other != name}
    made = {**world.get(name, {}), **change.after}
    if made.get("labels") is not None:
        labels = {**(world.get(name, {}).get("labels") or {}), **made["labels"]}
        made["labels"] = {label: text for label, text in labels.items() if text is not None}
    return {**world, name: made}


def planned(desired: list[Resource | Absent], world: World) -> Plan:
    """The plan for the world."""
    return diff("here", [(item, found(world, item.address.split("/", 1)[1])) for item in desired])


worlds = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)
boxes = st.dictionaries(st.sampled_from("abcd"), st.none() | values, max_size=4).map(
    lambda named: [Absent(FakeBox(name=n)) if v is None else FakeBox(name=n, **v) for n, v in named.items()]  # type: ignore[arg-type]
)


@given(worlds, boxes)
def test_a_second_plan_is_empty(world: World, desired: list[Resource | Absent]) -> None:
    """After every pair was made, the plan is empty: applying is idempotent."""
    for change in planned(desired, world):
        world = make(world, change)
    assert len(planned(desired, world)) == 0


@given(worlds, boxes)
def test_swapped_and_reversed_leads_back(world: World, desired: list[Resource | Absent]) -> None:
    """Making every pair and then the swapped pairs in reverse order leads back to the start."""
    start, changes = world, list(planned(desired, world))
    for change in changes:
        world = make(world, change)
    for change in reversed(changes):
        world = make(world, change.swapped({}))
    assert plain(world) == plain(start)


@given(worlds, boxes)
def test_unlisted_is_untouched(world: World, desired: list[Resource | Absent]) -> None:
    """Nothing that is not listed appears in the plan."""
    addresses = {item.address for item in desired}
    assert all(change.address in addresses for change in planned(desired, world))


@given(worlds, boxes)
def test_digest_names_the_plan(world: World, desired: list[Resource | Absent]) -> None:
    """Equal plans have equal digests; another site, or one pair less, has another; it never looks like a number."""
    plan = planned(desired, world)
    assert plan.digest == planned(desired, world).digest
    assert plan.digest.startswith("p-") and len(plan.digest) == 10
    assert Plan("elsewhere", plan.changes).digest != plan.digest
    if len(plan):
        assert Plan("here", plan.changes[1:]).digest != plan.digest


@given(worlds, boxes)
def test_changes_survive_json(world: World, desired: list[Resource | Absent]) -> None:
    """A change read back from its record is the same change, and its resource can be made again."""
    for change in planned(desired, world):
        assert Change.revive(change.record()) == change
        assert revive(change.resource).address == change.address


def plain(world: World) -> World:
    """The world without fields that are not set."""
    return {
        name: {k: list(v) if isinstance(v, tuple) else v for k, v in held.items() if v is not None}
        for name, held in world.items()
    }


def test_two_with_one_address_are_refused() -> None:
    """Two desired resources with one address are refused by name."""
    with pytest.raises(BadInput, match="fake-box/a is listed twice"):
        diff("here", [(FakeBox(name="a"), None), (FakeBox(name="a", size=1), None)])


def test_a_fixed_field_is_refused() -> None:
    """A difference in a field that can be set at creation only is refused, with both values."""
    with pytest.raises(Refused, match="material can't be changed") as caught:
        compare(FakeBox(name="a", material="oak"), Actual("1", {"material": "pine"}))
    assert "'pine'" in str(caught.value) and "'oak'" in str(caught.value)


def test_none_means_the_site_chooses() -> None:
    """A field that is None is not compared."""
    assert compare(FakeBox(name="a", size=None), Actual("1", {"size": 7})) is None


def test_what_needs_consent() -> None:
    """More than three deletions, or more than 30 % of what the plan names, is unsafe; one of ten is not."""
    gone = tuple(Change("delete", {"kind": "fake-box", "name": n}, f"fake-box/{n}", {"size": 1}, {}) for n in "abcd")
    assert "more than 3" in Plan("here", gone, kept=100).unsafe()
    assert "30%" in Plan("here", gone[:2], kept=1).unsafe()
    assert Plan("here", gone[:2], kept=8).unsafe() == ""


def test_lists_compare_as_sets() -> None:
    """Lists compare without order, mappings by the wanted keys."""
    assert same(["a", "b"], ("b", "a"))
    assert not same(["a"], ["a", "a"])
    assert same({"x": 1, "y": 2}, {"x": 1})


def test_a_resource_shows_what_was_given() -> None:
    """What is left to the site is not shown: the list of desired resources fits a page."""
    assert repr(FakeBox(name="a", size=0)) == "FakeBox(name='a', size=0)"
