"""Plans, proofs and tables in a terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.plans import Change, Plan
from stackbook.proof import Proof
from stackbook.render.text import colours, line_diff, plan_text, proof_text, table_text
from stackbook.render.values import clipped, one_line, shown, visible

NETWORK = {"kind": "network", "name": "vlan204"}
PLAN = Plan(
    "lab",
    (
        Change("create", NETWORK, "network/vlan204", {}, {"segmentation_id": 204, "mtu": None}),
        Change("update", NETWORK, "network/a", {"mtu": 1500, "text": "a\nb\nc"}, {"mtu": 9000, "text": "a\nB\nc"}),
        Change("replace", NETWORK, "server/web1", {"status": "ERROR"}, {"status": "ACTIVE"}, reason="in ERROR"),
        Change("delete", NETWORK, "volume/old", {"size": 10}, {}, reversible=False),
    ),
    kept=4,
)


def test_a_plan_reads_as_a_diff() -> None:
    """Signs, addresses, fields with before and after, what can't be undone, the counts and the digest."""
    assert plan_text(PLAN) == (
        "  + network/vlan204\n"
        "      segmentation_id  204\n"
        "      mtu              site chooses\n"
        "  ~ network/a\n"
        "      mtu   1500 → 9000\n"
        "      text\n"
        "          a\n"
        "        - b\n"
        "        + B\n"
        "          c\n"
        "-/+ server/web1  (in ERROR)\n"
        "      status  ERROR → ACTIVE\n"
        "  - volume/old  ! can't be undone\n"
        "      size  10\n"
        "\n"
        f"Plan {PLAN.digest} for lab: 1 to create, 1 to update, 1 to replace, 1 to delete, 4 as they should be\n"
        "! 1 can't be undone"
    )


def test_an_empty_plan_is_one_line() -> None:
    """Nothing to do is said with the number of resources that are as they should be."""
    assert plan_text(Plan("lab", (), kept=3)).startswith("Nothing to do on lab, 3 as they should be")


def test_colours_are_asked_for() -> None:
    """Without colour there is no escape character; with it, taking them out gives the same text."""
    import re

    plain, coloured = plan_text(PLAN), plan_text(PLAN, colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain != coloured


def test_colours_only_on_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file gets none; NO_COLOR switches them off on a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert colours(Terminal())
    assert not colours(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours(Terminal())


@given(name=st.text(), value=st.text())
def test_names_can_not_command_the_terminal(name: str, value: str) -> None:
    """No control character of a name or value reaches the terminal, and no name starts a line of its own."""
    plan = Plan(name, (Change("create", NETWORK, f"network/{name}", {}, {name: 1, "description": value}),))
    written = plan_text(plan)
    assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in written)
    assert not any(letter in written for letter in "\x7f\x9b\u202e\u2028")
    assert "\n" not in one_line(name)


def test_proofs() -> None:
    """An empty proof is a line; another has its rows under it."""
    assert proof_text(Proof("nothing left to do")) == "✓ nothing left to do: empty, as expected"
    assert (
        proof_text(Proof("all alive", [{"host": "c1", "age": 7}])) == "✗ expected: all alive; found 1\n  host  age\n  c1      7"
    )


def test_tables_align_numbers_right() -> None:
    """Numbers are right-aligned, gaps empty, long cells cut."""
    rows: list[dict[str, object]] = [{"name": "a", "used": 3}, {"name": "x" * 99, "used": 1200}, {"name": None, "free": True}]
    lines = table_text(rows).splitlines()
    assert lines[1].endswith("     3")
    assert "…" in lines[2]
    assert lines[3].strip() == "true"
    assert table_text([{"name": "a", "serial": ""}]).splitlines()[1].rstrip() == "  a"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "none"),
        (True, "true"),
        ("", '""'),
        (" a ", '" a "'),
        ("a b", "a b"),
        ([], "empty"),
        (["a", 1, None], "a, 1, none"),
        ({"a": [1, {"b": "x"}]}, "a=[1, {b=x}]"),
        ("a\x1b[31m\u202e", "a\\x1b[31m\\u202e"),
        ("\r\x9b", '"\\r\\x9b"'),
        ("[ovs]\na = b\n", "[ovs]\na = b\n"),
        (1.5, "1.5"),
    ],
)
def test_values_read_as_an_operator_reads_them(value: object, expected: str) -> None:
    """Plain strings are not quoted, invisible ones are made visible, structures stay on one line."""
    assert shown(value) == expected


def test_long_values_are_cut_and_counted() -> None:
    """What is left out of a long value is said."""
    assert clipped("x" * 5000).endswith("… (1,000 more characters)")
    assert visible("a\r\nb") == "a\nb"


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_a_line_diff_holds_both_texts(old: list[str], new: list[str]) -> None:
    """The lines taken and added lead from one text to the other; only like lines are left out."""
    found = line_diff("\n".join(old), "\n".join(new))
    gone, added = [line for sign, line in found if sign == "-"], [line for sign, line in found if sign == "+"]
    kept = [line for sign, line in found if sign == " "]
    assert sorted([*gone, *kept]) == sorted(old) or any(sign == "@" for sign, _ in found)
    assert len(new) - len(old) == len(added) - len(gone)


def test_one_line_of_a_long_text_is_found() -> None:
    """Of a text far longer than what is shown of a value, the plan has the line that changes and the lines around it."""
    old = [f"option{number} = {number}" for number in range(9000)]
    new = [*old[:8000], "option8000 = changed", *old[8001:]]
    pair = {"content": "\n".join(old)}, {"content": "\n".join(new)}
    written = plan_text(Plan("s", (Change("update", NETWORK, "h:/f", *pair),)))
    assert "- option8000 = 8000" in written
    assert "+ option8000 = changed" in written
    assert "@ 7998 lines alike" in written
    assert "@ 997 lines alike" in written
    assert len(written.splitlines()) < 15


def test_texts_that_have_nothing_in_common_are_cut() -> None:
    """Of many differences some are shown and the rest counted."""
    found = line_diff("\n".join(f"a{n}" for n in range(3000)), "\n".join(f"b{n}" for n in range(3000)))
    assert found[-1] == ("@", "5,800 more lines")


def test_a_missing_end_of_line_is_seen() -> None:
    """Two texts that differ in their last line break only differ in what is shown."""
    assert [sign for sign, _ in line_diff("a\nb", "a\nb\n")] == [" ", " ", "-"]


def test_of_a_mapping_the_keys_that_change() -> None:
    """A mapping that changes is shown a line per key; keys that stay are left out, one that goes is told."""
    pair = {"options": {"a": "1", "b": "2", "c": "3"}}, {"options": {"a": "1", "b": "x", "c": None}}
    written = plan_text(Plan("s", (Change("update", NETWORK, "h:/f", *pair),)))
    assert [line.strip() for line in written.splitlines()[1:3]] == ["b  2 → x", "c  3 → none"]
