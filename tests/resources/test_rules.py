"""A security group's rule as one line of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.errors import BadInput
from stackbook.resources.rules import Rule

ports = st.integers(0, 65535)


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules as people write them."""
    words = [draw(st.sampled_from(["ingress", "egress", "Ingress"]))]
    protocol = draw(st.sampled_from(["", "tcp", "UDP", "icmp", "6", "any", "vrrp", "112", "proto-99"]))
    words.append(protocol)
    if protocol in ("tcp", "UDP", "6"):
        low, high = sorted(draw(st.tuples(ports, ports)))
        words.append(draw(st.sampled_from(["", f"{low}", f"{low}-{high}", f"{low}:{high}"])))
    remote = draw(st.sampled_from(["", "10.1.2.3/8", "0.0.0.0/0", "10.0.0.1", "group web", "anywhere"]))
    if remote:
        words += [draw(st.sampled_from(["from", "to"])), remote]
    return " ".join(word for word in words if word)


@given(rules())
def test_the_normal_form_is_one(text: str) -> None:
    """Parsing the normal form gives the same rule."""
    rule = Rule.parse(text)
    assert Rule.parse(str(rule)) == rule


@given(rules())
def test_what_neutron_stores_reads_as_what_was_asked(text: str) -> None:
    """The rule that neutron describes after it was made from a line is that line's rule: a second plan is empty."""
    rule = Rule.parse(text)
    body = rule.body("id-of-web" if rule.group else None)
    stored = {**body, "ethertype": body["ether_type"]}
    assert Rule.found(stored, {"id-of-web": "web"}) == rule


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("ingress tcp 22-22 from 10.1.2.3/8", "ingress tcp 22 from 10.0.0.0/8"),
        ("ingress 6 22", "ingress tcp 22"),
        ("ingress tcp 22 from 0.0.0.0/0", "ingress tcp 22"),
        ("ingress tcp 22 from ::/0", "ingress ipv6 tcp 22"),
        ("ingress tcp 22 from fd00::1", "ingress ipv6 tcp 22 from fd00::1/128"),
        ("ingress icmp 8-0", "ingress icmp 8-0"),
        ("ingress ipv6 icmp", "ingress ipv6 ipv6-icmp"),
        ("ingress from group  web  servers", "ingress from group web servers"),
        ("egress any", "egress"),
    ],
)
def test_normal_forms(text: str, normal: str) -> None:
    """One rule, one text."""
    assert str(Rule.parse(text)) == normal


@pytest.mark.parametrize(
    "text",
    [
        "",
        "allow all",
        "ingress 22",
        "ingress any 22",
        "ingress tcp 90000",
        "ingress tcp 30-20",
        "ingress ipv4 tcp 1 from fd00::/8",
        "ingress tcp 22 from 10.0.0.0/40",
    ],
)
def test_what_is_no_rule(text: str) -> None:
    """Refused with what would be one."""
    with pytest.raises(BadInput):
        Rule.parse(text)
