"""Declared parameters."""

from __future__ import annotations

import pytest

from stackbook.errors import BadInput
from stackbook.runbook.declarations import Parameter, declared

CELL = """\
vlan: int = 204  # VLAN id, 1-4094
name = "net=204"  # a default with an equals sign
roles: list[str] = [
    "member",
]  # several lines
mode: Literal["a", "b"] = "a"
derived = vlan + 1
nothing: str | None = None
"""


def test_each_line_is_a_parameter() -> None:
    """Name, type, default and help of every form of line; a missing type is read from the default."""
    assert declared(CELL) == (
        Parameter("vlan", "int", 204, "VLAN id, 1-4094"),
        Parameter("name", "str", "net=204", "a default with an equals sign"),
        Parameter("roles", "list[str]", ["member"], "several lines"),
        Parameter("mode", "Literal['a', 'b']", "a", ""),
        Parameter("derived", "str", "vlan + 1", ""),
        Parameter("nothing", "str | None", None, ""),
    )


def test_other_statements_declare_nothing() -> None:
    """Imports, calls and comments in the cell are no parameters."""
    assert declared("# a comment\nimport os\nprint(1)\nx: int\nos.y = 1") == ()


def test_no_python_is_bad_input() -> None:
    """A cell that does not parse says in which line."""
    with pytest.raises(BadInput, match="line 2"):
        declared("a = 1\nb = = 2")
