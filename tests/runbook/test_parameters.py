"""Parameter values: texts become what was declared, and nothing else."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from stackbook.errors import BadInput
from stackbook.render.redact import redact
from stackbook.runbook.coercion import coerced
from stackbook.runbook.declarations import Parameter
from stackbook.runbook.parameters import assigned, checked, injected, loaded

AS_TYPED = [
    "52:54:00:12:34:56",
    "007",
    "1.10",
    "22:30",
    "no",
    "0644",
    "null",
    "~",
    "1e3",
    "0x10",
    "12345678e1234",
    "true",
    " x ",
    "[a]",
]
texts = st.text()
json_values = st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=8)


def value(text: Any, kind: str) -> Any:
    """`text` given for one parameter of type `kind`."""
    return checked({"x": text}, [Parameter("x", kind, None)], "test")["x"]


@given(texts)
@example("a=b")
@example("'''\\")
@example("\u2028\r\n\x00")
def test_any_text_round_trips_for_str(text: str) -> None:
    """Whatever is typed after -p NAME= arrives in the notebook as that very text."""
    assume(redact(text) == text)
    values = checked(assigned([f"x={text}"]), [Parameter("x", "str", "")], "test")
    tree = ast.parse(injected(values))
    assert ast.literal_eval(tree.body[0].value) == text  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", AS_TYPED)
@pytest.mark.parametrize("kind", ["str", "str | None"])
def test_what_other_tools_turn_into_numbers_stays_text(text: str, kind: str, tmp_path: Path) -> None:
    """MACs, times, octal numbers, versions and `no` stay what was typed, on the command line and in files."""
    assert value(text, kind) == text
    (tmp_path / "v.json").write_text(json.dumps({"x": text}))
    assert value(loaded(tmp_path / "v.json")["x"], kind) == text


@pytest.mark.parametrize("text", ["52:54:00:12:34:56", "007", "1.10", "22:30", "no", "0644", "1e3", "2024-01-01", "true"])
def test_yaml_scalars_are_not_interpreted(text: str, tmp_path: Path) -> None:
    """An unquoted YAML scalar is the text that stands there."""
    (tmp_path / "v.yaml").write_text(f"x: {text}\nlist:\n  - {text}\n")
    found = loaded(tmp_path / "v.yaml")
    assert found == {"x": text, "list": [text]}


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("0204", "int", 204),
        ("-3", "int", -3),
        ("1.5", "float", 1.5),
        ("YES", "bool", True),
        ("off", "bool", False),
        ("0", "bool", False),
        ("a, b", "list[str]", ["a", "b"]),
        ("", "list[str]", []),
        ("[007, 'a,b']", "list[str]", ["007", "a,b"]),
        ("1,2", "list[int]", [1, 2]),
        ("one", "list", ["one"]),
        ("{a: 1, b: no}", "dict[str, str]", {"a": "1", "b": "no"}),
        ("{a: 1}", "dict[str, int]", {"a": 1}),
        ("", "int | None", None),
        ("", "Optional[str]", None),
        ("7", "int | None", 7),
        ("b", "Literal['a', 'b']", "b"),
        ("2", "Literal[1, 2]", 2),
        (["a", "b"], "list[str]", ["a", "b"]),
    ],
)
def test_values_of_each_type(text: Any, kind: str, expected: Any) -> None:
    """Each declared type reads its own forms."""
    assert value(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("12x", "int", "a whole number"),
        ("1_000", "int", "a whole number"),
        ("", "int", "a whole number"),
        ("٣", "int", "a whole number"),
        ("nan", "float", "a number"),
        ("1e999", "float", "a number"),
        ("maybe", "bool", "true or false"),
        ("c", "Literal['a', 'b']", "one of a, b"),
        (["a"], "str", "str, not a list"),
        ("[a", "list[str]", "a list or mapping"),
        ("a", "dict", "a mapping"),
        ("a", "Path", "a type among"),
        ("\ud800", "str", "UTF-8"),
    ],
)
def test_what_does_not_fit_is_refused(text: Any, kind: str, said: str) -> None:
    """A value of another form is bad input that says what was expected."""
    with pytest.raises(BadInput, match=said):
        value(text, kind)


@given(json_values, st.sampled_from(["str", "int", "float", "bool", "list[int]", "dict[str, int]", "int | None", "Literal[1]"]))
def test_coercion_answers_or_refuses(text: Any, kind: str) -> None:
    """Nothing given makes coercion fail in any other way than by saying what was expected."""
    said = "in time"
    try:
        coerced(text, kind)
    except (TypeError, ValueError) as error:
        said = str(error)
    assert said


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """An undeclared name is bad input that lists the declared ones and names the nearest."""
    with pytest.raises(BadInput, match=r"'vlam'.*parameters: vlan, name") as caught:
        checked({"vlam": "1"}, [Parameter("vlan", "int", 1), Parameter("name", "str", "")], "test")
    assert caught.value.hint == "did you mean vlan?"


@pytest.mark.parametrize("name", ["x;import os;y", "x.__class__", "import os", "x\n", " x", "x "])
def test_a_name_never_becomes_code(name: str) -> None:
    """Only declared names reach the notebook: names with code in them are refused."""
    with pytest.raises(BadInput, match="no parameter"):
        checked(assigned([f"{name}=5"]), [Parameter("x", "str", "")], "test")


@given(texts)
def test_a_value_never_becomes_code(text: str) -> None:
    """The injected cell is assignments of literals, whatever the value holds."""
    tree = ast.parse(injected({"x": text, "y": [text], "z": {text: text}}))
    assert [type(node) for node in tree.body] == [ast.Assign] * 3


def test_no_equals_sign_is_refused() -> None:
    """-p needs NAME=VALUE."""
    with pytest.raises(BadInput, match="NAME=VALUE"):
        assigned(["vlan"])


def test_a_name_given_again_makes_a_list() -> None:
    """-p hosts=a -p hosts=b is a list of both."""
    assert assigned(["h=a", "h=b", "h=c"]) == {"h": ["a", "b", "c"]}


@pytest.mark.parametrize("name", ["password", "db_password", "os_token", "secret", "api_key", "ADMIN_PASS", "private_key"])
def test_names_of_secrets_are_refused(name: str) -> None:
    """A parameter whose name sounds like a secret is refused, and the right place named; the value is not repeated."""
    with pytest.raises(BadInput, match="looks like a secret") as caught:
        checked({name: "hunter2"}, [Parameter(name, "str", "")], "test")
    assert "clouds.yaml" in str(caught.value) and "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ",
        "mysql+pymysql://nova:hunter2@db/nova",
        "https://user:hunter2@example.org/image.qcow2",
        "gAAAAABkX3Zy" + "A" * 60,
        ["x", "rabbit://u:hunter2@mq"],
    ],
)
def test_values_that_are_secrets_are_refused(text: Any) -> None:
    """Keys, tokens and URLs with credentials are refused; the value is not repeated."""
    with pytest.raises(BadInput, match="looks like a key") as caught:
        value(text, "list[str]" if isinstance(text, list) else "str")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", ["key_name", "keypair", "compass", "passive"])
def test_names_that_only_resemble_are_kept(name: str) -> None:
    """A key pair's name or a compass is no secret."""
    assert checked({name: "x"}, [Parameter(name, "str", "")], "test") == {name: "x"}


def test_ids_and_addresses_are_no_secrets() -> None:
    """Ids, digests, MACs, URLs without a password, public keys and paths pass."""
    plain = [
        "5a8254c1-6a42-4b0f-9d0b-90a2d5c1a111",
        "p-05b3dce6",
        "52:54:00:12:34:56",
        "https://example.org:443/x",
        "ssh-rsa AAAAB3Nza a@b",
    ]
    assert value(plain, "list[str]") == plain


@pytest.mark.parametrize(
    ("name", "text"), [("v.yaml", "- a"), ("v.yaml", "a: [b"), ("v.json", "{"), ("v.json", "[1]"), ("none.yaml", None)]
)
def test_files_that_are_no_mapping_are_refused(name: str, text: str | None, tmp_path: Path) -> None:
    """A file of parameters must exist and hold one mapping."""
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=name):
        loaded(tmp_path / name)


def test_json_numbers_and_truths_are_read_by_type(tmp_path: Path) -> None:
    """JSON's numbers keep their digits; true and null mean what the declared type makes of them."""
    (tmp_path / "v.json").write_text('{"a": 1.10, "b": true, "c": null, "d": [1, 2]}')
    kinds = [
        Parameter("a", "str", ""),
        Parameter("b", "bool", False),
        Parameter("c", "str | None", ""),
        Parameter("d", "list[int]", []),
    ]
    assert checked(loaded(tmp_path / "v.json"), kinds, "test") == {"a": "1.10", "b": True, "c": None, "d": [1, 2]}
