"""The fixed texts of regular expressions are in every match."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import stackbook.logs
from stackbook.logs.engines import tree
from stackbook.logs.literals import literals

SHIPPED = yaml.safe_load((Path(stackbook.logs.__file__).parent / "signatures.yaml").read_text())["signatures"]
PATTERNS = [entry["pattern"] for entry in SHIPPED if entry.get("pattern")]


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"Filter (?P<filter>\w+) returned 0 hosts", [" returned 0 hosts"]),
        (r"No valid host was found\.", ["No valid host was found."]),
        (r"one thing|other(?:s|ness) [a|b]thing", ["one thing", "other"]),
        (r"colou?r of [^]x]{2,3}things", ["things"]),
        (r"\d+", [""]),
    ],
)
def test_the_longest_text_is_taken(pattern: str, texts: list[str]) -> None:
    """Groups, classes and what is optional end a text; each alternative has its own."""
    assert literals([pattern]) == sorted(text for text in texts if text)


def test_each_signature_has_one() -> None:
    """Every pattern of the signatures has a text of 4 characters or more, so that none is slow to look for."""
    assert not [pattern for pattern in PATTERNS if not literals([pattern]) or min(map(len, literals([pattern]))) < 4]


@settings(max_examples=60)
@given(st.sampled_from(PATTERNS).flatmap(lambda pattern: st.tuples(st.just(pattern), st.from_regex(pattern))))
def test_a_match_holds_one_of_its_texts(drawn: tuple[str, str]) -> None:
    """Whatever a signature matches holds one of the texts that are looked for."""
    pattern, matching = drawn
    assert any(text in matching for text in literals([pattern]))


@settings(max_examples=60)
@given(st.lists(st.uuids(version=4).map(str), min_size=1, max_size=60, unique=True), st.uuids().map(str))
def test_one_expression_for_many_ids_finds_them_and_no_others(ids: list[str], other: str) -> None:
    """The expression made of ids matches each of them and nothing else."""
    expression = re.compile(tree(sorted(ids)))
    assert all(expression.fullmatch(name) for name in ids)
    assert bool(expression.fullmatch(other)) == (other in ids)
