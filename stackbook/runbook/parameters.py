"""Parameter values: given as text, checked against the runbook's declarations, never a secret."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stackbook.errors import BadInput
from stackbook.runbook.coercion import Given, coerced
from stackbook.runbook.declarations import Parameter
from stackbook.runbook.secrets import refuse_secret

Values = dict[str, Any]


def checked(given: Mapping[str, Given], parameters: Sequence[Parameter], runbook: str) -> Values:
    """The values of the declared `parameters`; BadInput for what is not declared, does not fit its type or is a secret."""
    by_name = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in by_name:
            raise _unknown(name, list(by_name), runbook)
    return {name: _value(by_name[name], value, runbook) for name, value in given.items()}


def assigned(texts: Iterable[str]) -> dict[str, Given]:
    """The values of ``-p NAME=VALUE`` options; a name given again makes a list."""
    found: dict[str, Given] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"-p {text!r}: expected NAME=VALUE", hint="for example  -p vlan=204")
        earlier = found.get(name)
        found[name] = value if earlier is None else [*(earlier if isinstance(earlier, list) else [earlier]), value]
    return found


def loaded(path: Path) -> dict[str, Given]:
    """The values in a YAML or JSON file: one mapping whose scalars stay as they were typed."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: can't be read: {error}", hint="name a YAML or JSON file of parameter values") from None
    found = _json(text, path) if path.suffix == ".json" else _yaml(text, path)
    if found in (None, ""):
        return {}
    if not isinstance(found, dict):
        raise BadInput(f"{path}: expected a mapping of parameter names to values, found a {type(found).__name__}")
    return {str(name): value for name, value in found.items()}


def injected(values: Values) -> str:
    """The source of the cell that sets `values`, after the parameters cell."""
    return "\n".join(["# Parameters", *(f"{name} = {value!r}" for name, value in values.items())])


def _value(parameter: Parameter, given: Given, runbook: str) -> Any:
    refuse_secret(parameter.name, given)
    try:
        value = coerced(given, parameter.type)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadInput(f"parameter {parameter.name}: the value is no valid UTF-8 text", found=ascii(given)) from None
    except (TypeError, ValueError) as error:
        hint = f"{parameter.name}: {parameter.type}  # {parameter.help}" if parameter.help else f"stackbook show {runbook}"
        raise BadInput(f"parameter {parameter.name}: expected {error}", found=repr(given), hint=hint) from None
    return value


def _unknown(name: str, known: list[str], runbook: str) -> BadInput:
    near = difflib.get_close_matches(name, known, 1)
    listed = ", ".join(known) or "none"
    hint = f"did you mean {near[0]}?" if near else f"stackbook show {runbook}"
    return BadInput(f"{runbook} has no parameter {name!r} (parameters: {listed})", hint=hint)


def _json(text: str, path: Path) -> Any:
    try:
        return _typed(json.loads(text, parse_int=str, parse_float=str, parse_constant=str))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: not readable as JSON: {error}", hint="mend the line named") from None


def _yaml(text: str, path: Path) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and mappings only
    except (yaml.YAMLError, RecursionError) as error:
        raise BadInput(f"{path}: not readable as YAML: {error}", hint="mend the line named") from None


def _typed(value: Any) -> Any:
    """JSON's true, false and null as the texts that a type can read."""
    if isinstance(value, dict):
        return {name: _typed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return {True: "true", False: "false", None: ""}[value] if value is None or isinstance(value, bool) else value
