"""Signatures: each is told by its example lines, and by no other's that it should leave alone."""

from __future__ import annotations

import re

import pytest

from stackbook.logs.literals import literals
from stackbook.logs.signatures import KINDS, Signature, signatures, unknown_references
from stackbook.sandbox.faults import faults

KNOWN = signatures()
TOLD_BY_LOGS = [one for one in KNOWN.values() if one.pattern]
every = pytest.mark.parametrize("signature", KNOWN.values(), ids=KNOWN)
logged = pytest.mark.parametrize("signature", TOLD_BY_LOGS, ids=[one.id for one in TOLD_BY_LOGS])


def test_there_are_many() -> None:
    """The 49 that were collected, and those of the sandbox and the APIs."""
    assert len(KNOWN) >= 75
    assert not unknown_references(KNOWN)


@every
def test_is_complete(signature: Signature) -> None:
    """Each says what it means, what is usually behind it and what to do, and is of a known kind."""
    assert signature.kind in KINDS
    assert signature.meaning.endswith(".")
    assert signature.cause
    assert signature.remedy
    assert signature.reference.startswith("https://docs.openstack.org/")
    assert signature.scope in ("request", "host")


@logged
def test_matches_its_examples(signature: Signature) -> None:
    """Each matches every one of its example lines, also at the end of a longer one."""
    assert signature.matches
    for text in signature.matches:
        assert signature.match(text) is not None, text
        assert signature.match(f"Exception during message handling: {text}") is not None, text


@logged
def test_leaves_others_alone(signature: Signature) -> None:
    """None matches its counterexamples; a case of it is silent about what the line does not name."""
    assert signature.rejects
    for text in signature.rejects:
        assert signature.match(text) is None, text
    assert signature.match("") is None


@logged
def test_is_quick_on_long_lines(signature: Signature) -> None:
    """A line of 64 KiB that nearly matches takes no time to speak of."""
    import time

    begun = time.process_time()
    signature.match((signature.matches[0][:-1] + " ") * (65536 // (len(signature.matches[0]) + 1)))
    assert time.process_time() - begun < 1


@logged
def test_can_be_searched_fast(signature: Signature) -> None:
    """Each pattern has texts that a fast search can look for first, and one of them is in every example."""
    fixed = literals([signature.pattern])
    assert fixed
    for text in signature.matches:
        assert any(part in text for part in fixed), (fixed, text)


def test_no_signature_explains_itself() -> None:
    """Nothing explains itself; a symptom ends a chain, or is told on by a relay."""
    for one in KNOWN.values():
        assert one.id not in one.explained_by
        assert one.kind != "cause" or not [name for name in one.explained_by if KNOWN[name].kind == "symptom"]


def test_summaries_name_what_evidence_can_tell() -> None:
    """A summary without its values falls back to the meaning; with them, none of its places is left open."""
    for one in KNOWN.values():
        named = dict.fromkeys(re.findall(r"\{(\w+)\}", one.summary + one.remedy), "x")
        assert one.summarized({}) == (one.meaning if named and "{" in one.summary else one.summary or one.meaning)
        assert "{" not in one.summarized(named)
        assert "{" not in one.advice(named)


def test_faults_name_causes() -> None:
    """Every fault's cause is a signature of that kind."""
    for fault in faults().values():
        assert KNOWN[fault.cause].kind == "cause", fault.name
