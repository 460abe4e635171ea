"""Declared parameters: what a runbook's parameters cell says about them."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stackbook.errors import BadInput


@dataclass(frozen=True)
class Parameter:
    """One line of the parameters cell: ``vlan: int = 204  # VLAN id, 1-4094``."""

    name: str
    type: str
    """As written, for example ``list[str]``; read from the default where none is written."""
    default: Any
    """The literal default; the expression's text where it is none."""
    help: str = ""

    def record(self) -> dict[str, Any]:
        """The declaration as JSON."""
        return {"name": self.name, "type": self.type, "default": self.default, "help": self.help}


def declared(source: str, place: str = "the parameters cell") -> tuple[Parameter, ...]:
    """The parameters that `source` declares, in order; BadInput when it is no Python."""
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise BadInput(f"{place}: line {error.lineno}: {error.msg}", hint="one line each: name: type = default  # help") from None
    comments = _comments(source)
    return tuple(_declarations(statements, comments))


def _declarations(statements: list[ast.stmt], comments: dict[int, str]) -> Iterator[Parameter]:
    for statement in statements:
        said = comments.get(statement.end_lineno or 0, "")
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value:
            yield Parameter(statement.target.id, ast.unparse(statement.annotation), _literal(statement.value), said)
        elif isinstance(statement, ast.Assign):
            default = _literal(statement.value)
            names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            yield from (Parameter(name, _inferred(statement.value, default), default, said) for name in names)


def _literal(value: ast.expr) -> Any:
    try:
        return ast.literal_eval(value)
    except ValueError:
        return ast.unparse(value)


def _inferred(value: ast.expr, default: Any) -> str:
    if default is None or not isinstance(value, (ast.Constant, ast.List, ast.Dict, ast.UnaryOp)):
        return "str"
    return "list[str]" if isinstance(default, list) else type(default).__name__


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("#").strip() for token in tokens if token.type == tokenize.COMMENT}
