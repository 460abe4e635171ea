"""The editor of configuration files, held against oslo.config itself."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oslo_config import cfg, iniparser

from stackbook.errors import BadInput
from stackbook.ini import IniText, check_value

SECTIONS = ["DEFAULT", "ovs", "OVS", "ml2_type_vlan"]
OPTIONS = ["bridge_mappings", "debug", "host"]
blank = st.sampled_from(["", " ", "  ", "\t"])
word = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1, max_size=8)
value = st.one_of(word, st.sampled_from(["", '"x"', "' y '", "a = b", "a:b", "x ; not a comment", "#x", "[y]", "'", " padded "]))


@st.composite
def assignments(draw: st.DrawFn) -> str:
    """One assignment, with odd spacing, and sometimes continued."""
    first = draw(st.sampled_from(OPTIONS)) + draw(blank) + draw(st.sampled_from("=:")) + draw(blank) + draw(value) + draw(blank)
    rest = draw(st.lists(word.map(lambda text: "  " + text), max_size=2))
    return "\n".join([first, *rest])


line = st.one_of(
    assignments(),
    st.sampled_from(SECTIONS).map(lambda name: f"[{name}]"),
    st.sampled_from(["", "   ", "# a comment", ";another", "#bridge_mappings =", "# host = <None>"]),
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A file with repeated sections and options, in one of the line ends, with or without the last."""
    lines = [f"[{draw(st.sampled_from(SECTIONS))}]", *draw(st.lists(line, max_size=14))]
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = "\n".join(lines) + draw(st.sampled_from(["\n", ""]))
    return text.replace("\n", end).encode()


def oslo(content: bytes) -> dict[tuple[str, str], list[str]]:
    """What oslo.config reads: all values by normalized section and option."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.conf"
        path.write_bytes(content)
        parser = cfg.ConfigParser(str(path), {})
        found: dict[str, dict[str, list[str]]] = {}
        parser._add_normalized(found)
        parser.parse()
    return {(section, option): values for section, options in found.items() for option, values in options.items()}


def readable(content: bytes) -> bool:
    """Whether oslo.config takes the file."""
    try:
        oslo(content)
    except iniparser.ParseError:
        return False
    return True


@given(files())
def test_reads_what_oslo_config_reads(content: bytes) -> None:
    """Every file is read as oslo.config reads it, and refused when it is refused."""
    if readable(content):
        assert IniText(content).options() == oslo(content)
    else:
        with pytest.raises(BadInput):
            IniText(content)


@given(files().filter(readable), st.sampled_from(SECTIONS), st.sampled_from([*OPTIONS, "new_option"]), value)
def test_one_value(content: bytes, section: str, option: str, wanted: str) -> None:
    """After an edit oslo.config reads the wanted value; every other value and every comment is as before."""
    edited = IniText(content).with_value(section, option, wanted)
    before, after = oslo(content), oslo(edited.content())
    key = (section if section == "DEFAULT" else section.lower(), option)
    assert after[key][-1] == wanted
    assert after[key][:-1] == before.get(key, [])[:-1]
    assert {k: v for k, v in after.items() if k != key} == {k: v for k, v in before.items() if k != key}
    assert comments(edited.content()) == comments(content)


@given(files().filter(readable), st.sampled_from(SECTIONS), st.sampled_from(OPTIONS), st.lists(value, max_size=4))
def test_many_values(content: bytes, section: str, option: str, wanted: list[str]) -> None:
    """An option with many values gets exactly the wanted ones, in order; nothing else changes."""
    edited = IniText(content).with_values(section, option, wanted)
    before, after = oslo(content), oslo(edited.content())
    key = (section if section == "DEFAULT" else section.lower(), option)
    assert after.pop(key, []) == wanted
    before.pop(key, None)
    assert after == before
    assert comments(edited.content()) == comments(content)


@given(files().filter(readable), st.sampled_from(OPTIONS), value)
def test_same_value_changes_no_byte(content: bytes, option: str, wanted: str) -> None:
    """Asking for what is there already changes no byte."""
    once = IniText(content).with_value("ovs", option, wanted).content()
    assert IniText(once).with_value("ovs", option, wanted).content() == once


@given(files().filter(readable).filter(lambda content: content.endswith(b"\n")))
def test_adding_and_removing_is_byte_for_byte(content: bytes) -> None:
    """A new option in an existing section, removed again, leaves the file as it was."""
    name = IniText(content).sections[0][0]
    added = IniText(content).with_value(name, "new_option", "x")
    assert added.with_values(name, "new_option", []).content() == content


def comments(content: bytes) -> list[str]:
    """The comment lines of a file."""
    return [line.rstrip() for line in content.decode().splitlines() if line.startswith(("#", ";"))]


def test_new_option_goes_beside_its_template() -> None:
    """A new key is placed after its commented-out template, not at the end of the section."""
    text = b"[ovs]\n# Mappings.\n#bridge_mappings =\n\n# Other.\n#tunnel_bridge = br-tun\n[agent]\nx = 1\n"
    edited = IniText(text).with_value("ovs", "bridge_mappings", "default:br-ex").content()
    assert edited == text.replace(b"#bridge_mappings =\n", b"#bridge_mappings =\nbridge_mappings = default:br-ex\n")


def test_error_names_file_and_line() -> None:
    """A file that oslo.config refuses is refused with its name, the line's number and what stands there."""
    with pytest.raises(BadInput, match=r"ml2_conf\.ini, line 2") as caught:
        IniText(b"[ml2]\nnonsense\n", "ml2_conf.ini")
    assert caught.value.found == "nonsense"


def test_value_that_a_file_cannot_hold() -> None:
    """A value with a blank line is refused, since oslo.config would end it there."""
    with pytest.raises(BadInput):
        check_value("a\n\nb")
