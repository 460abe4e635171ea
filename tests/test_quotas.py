"""A project's quotas by any of their names."""

from __future__ import annotations

from dataclasses import fields

import pytest

from stackbook.desired import quota
from stackbook.errors import BadInput
from stackbook.resources import Quota


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"ports": 3, "cores": -1}, {"ports": 3, "cores": -1}),
        ({"port": 3, "floatingip": 1, "security_group_rule": 2}, {"ports": 3, "floating_ips": 1, "security_group_rules": 2}),
        ({"floating-ips": 1, "Secgroups": 2, "key-pairs": 5}, {"floating_ips": 1, "security_groups": 2, "key_pairs": 5}),
    ],
)
def test_names(given: dict[str, int], expected: dict[str, int]) -> None:
    """Ours, the API's and the openstack command's."""
    assert quota("p", given) == Quota("p", **expected)


def test_every_field_is_a_name() -> None:
    """No quota is out of reach."""
    for field in fields(Quota)[1:]:
        assert quota("p", {field.name: 7}).values == {field.name: 7}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prots": 3}, "there is no quota 'prots'\n  Try: did you mean ports?"),
        ({"zzz": 3}, "one of cores, ram,"),
        ({"project": 3}, "there is no quota 'project'"),
        ({"port": 3, "ports": 4}, "ports is given twice"),
        ({"ports": -2}, "ports"),
    ],
)
def test_what_is_no_quota(given: dict[str, int], told: str) -> None:
    """Refused with the nearest name."""
    with pytest.raises(BadInput) as refused:
        quota("p", given)
    assert told in str(refused.value)
