"""Texts become values by their declared type, and by nothing else: ``no`` is a text until a bool was declared."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import Any

Given = str | list[Any] | dict[str, Any]
"""A value as typed: a text, or from a file lists and mappings of texts."""
SUPPORTED = "str, int, float, bool, list[…], dict[…, …], Literal[…], … | None"
TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def coerced(given: Given, annotation: str) -> Any:
    """`given` as `annotation` says; ValueError or TypeError, saying what was expected, when it does not fit.

    An empty text is None where the type allows None.
    """
    try:
        expression = ast.parse(annotation, mode="eval").body
    except SyntaxError:
        raise ValueError(f"a type among {SUPPORTED}") from None
    return _coerced(given, expression)


def _coerced(given: Given, expression: ast.expr) -> Any:
    match expression:
        case ast.Name(id=("str" | "int" | "float" | "bool") as name):
            return _SCALARS[name](_text(given, name))
        case ast.Name(id="list"):
            return _items(given, ast.Name("str"))
        case ast.Name(id="dict"):
            return _mapping(given, ast.Name("str"))
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return _items(given, inner)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), inner])):
            return _mapping(given, inner)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            return _choice(given, inner)
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            return None if given == "" else _coerced(given, inner)
        case ast.BinOp(op=ast.BitOr()):
            return _one_of(given, _members(expression))
    raise ValueError(f"a type among {SUPPORTED}, but {ast.unparse(expression)} is declared")


def _text(given: Given, wanted: str) -> str:
    if not isinstance(given, str):
        raise TypeError(f"{wanted}, not a {type(given).__name__}")
    return given


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,4000}", text.strip()):
        raise ValueError("a whole number")
    return int(text)


def _real(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text.strip()) or not math.isfinite(float(text)):
        raise ValueError("a number")
    return float(text)


def _truth(text: str) -> bool:
    said = text.strip().lower()
    if said not in TRUE | FALSE:
        raise ValueError("true or false (yes, no, on, off, 1, 0)")
    return said in TRUE


_SCALARS: dict[str, Callable[[str], Any]] = {"str": str, "int": _integer, "float": _real, "bool": _truth}


def _items(given: Given, inner: ast.expr) -> list[Any]:
    listed = _flow(given) if isinstance(given, str) else given
    if not isinstance(listed, list):
        raise TypeError("a list: a,b,c or [a, b, c]")
    return [_coerced(item, inner) for item in listed]


def _mapping(given: Given, inner: ast.expr) -> dict[str, Any]:
    mapped = _flow(given) if isinstance(given, str) and given.strip().startswith("{") else given
    if not isinstance(mapped, dict):
        raise TypeError("a mapping: {name: value, …}")
    return {name: _coerced(value, inner) for name, value in mapped.items()}


def _flow(text: str) -> Any:
    """A text in YAML's flow style with its scalars as typed, or the items between its commas."""
    if not text.strip().startswith(("[", "{")):
        return [item.strip() for item in text.split(",")] if text.strip() else []
    import yaml

    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and mappings only
    except yaml.YAMLError:
        raise ValueError("a list or mapping such as [a, b] or {name: value}") from None


def _choice(given: Given, inner: ast.expr) -> Any:
    choices = [ast.literal_eval(item) for item in (inner.elts if isinstance(inner, ast.Tuple) else [inner])]
    for choice in choices:
        if str(choice) == given:
            return choice
    raise ValueError("one of " + ", ".join(map(str, choices)))


def _members(expression: ast.expr) -> list[ast.expr]:
    if isinstance(expression, ast.BinOp):
        return [*_members(expression.left), *_members(expression.right)]
    return [expression]


def _one_of(given: Given, members: list[ast.expr]) -> Any:
    kinds = [member for member in members if ast.unparse(member) != "None"]
    if given == "" and len(kinds) < len(members):
        return None
    expected = []
    for kind in kinds:
        try:
            return _coerced(given, kind)
        except (TypeError, ValueError) as error:
            expected.append(str(error))
    raise ValueError(" or ".join(expected))
