"""Answer files: read as Packstack's parser reads them, compared, masked, edited."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.errors import BadInput
from stackbook.packstack import catalogue
from stackbook.packstack.answers import MASK, Answers, releases
from stackbook.packstack.edits import edits
from stackbook.packstack.findings import contradictions, findings

from .files import PASSWORD, written

VALUE = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S")), max_size=20)
FEW = [name for name in catalogue.options(catalogue.LATEST) if not catalogue.secret(name)][:30]
REST = tuple(name for name in catalogue.options(catalogue.LATEST) if name not in FEW)
REST_BUT_NEUTRON = tuple(name for name in REST if "NEUTRON_" not in name and "PROVISION" not in name)
NEUTRON = st.sampled_from([name for name in REST if "NEUTRON_" in name and not catalogue.secret(name)])
OPEN = st.sampled_from(FEW)


def read(changed: dict[str, str] | None = None, release: str = catalogue.LATEST, left_out: tuple[str, ...] = ()) -> Answers:
    """The answers of a file that Packstack wrote and someone changed."""
    return Answers(written(release, changed, left_out).encode())


def found(changed: dict[str, str], release: str = catalogue.LATEST) -> list[tuple[str, str]]:
    """Level and option of what is found, apart from what every fresh file has."""
    usual = {(row["level"], row["option"], row["found"]) for row in findings(read(release=release))}
    rows = findings(read(changed, release))
    return [(row["level"], row["option"]) for row in rows if (row["level"], row["option"], row["found"]) not in usual]


def test_the_catalogue() -> None:
    """It knows the options of every release from liberty on, with names as Packstack spells them."""
    counts = {release: len(catalogue.options(release)) for release in catalogue.RELEASES}
    assert (counts["liberty"], counts["queens"], counts["2024.1"], counts["2025.1"]) == (295, 316, 295, 292)
    options = [option for release in catalogue.RELEASES for option in catalogue.options(release).values()]
    assert all(
        option.name.isupper() and (option.name.startswith("CONFIG_") or option.name == "EXCLUDE_SERVERS") for option in options
    )
    assert all(option.allows(option.default) for option in options)


@pytest.mark.parametrize("release", catalogue.RELEASES)
def test_a_fresh_file_of_each_release(release: str) -> None:
    """What Packstack writes has no contradiction, and the file tells which release it is of."""
    fresh = read(release=release)
    assert contradictions(fresh) == []
    assert catalogue.options(fresh.release).keys() == catalogue.options(release).keys()
    assert not [row for row in fresh.against(fresh.release) if MASK not in row.values()]


@given(st.dictionaries(OPEN, VALUE, max_size=4))
def test_read_as_packstack_reads(changed: dict[str, str]) -> None:
    """Every value is what configparser, which Packstack uses, takes it for."""
    text = written(changed=changed, left_out=REST)
    theirs = configparser.RawConfigParser()
    theirs.read_string(text)
    ours = Answers(text.encode())
    assert {name: ours.value(name) for name in changed} == {name: theirs.get("general", name) for name in changed}


@given(st.dictionaries(OPEN, st.none() | st.from_regex(r"[\w.:,/-]{0,20}", fullmatch=True), max_size=4), VALUE)
def test_an_edit_changes_nothing_else(wanted: dict[str, str | None], other: str) -> None:
    """After an edit configparser reads the wanted values; every other line is as it was."""
    text = written(changed={"CONFIG_OTHER": other}, left_out=(*REST, FEW[3]))
    new = Answers(text.encode()).with_options(wanted).decode()
    theirs = configparser.RawConfigParser()
    theirs.read_string(new)
    assert {name: theirs.get("general", name, fallback=None) for name in wanted} == wanted
    kept = [line for line in text.splitlines() if line.split("=")[0].strip() not in wanted]
    assert [line for line in new.splitlines() if line.split("=")[0].strip() not in wanted] == kept


def test_an_edit_keeps_the_form_of_a_line() -> None:
    """An empty answer is filled without a blank, as Packstack writes its lines, and emptied again to the byte."""
    text = written().encode()
    filled = Answers(text).with_options({"CONFIG_NTP_SERVERS": "192.0.2.1"})
    assert b"\nCONFIG_NTP_SERVERS=192.0.2.1\n" in filled
    assert Answers(filled).with_options({"CONFIG_NTP_SERVERS": ""}) == text


def test_secrets_stay_inside() -> None:
    """No password is in what is shown, compared or found; asking for one is refused."""
    mine, theirs = read(), Answers(written().replace(PASSWORD, "0ther-password").encode())
    told = f"{mine.shown()}{mine.table()}{mine.against(theirs)}{mine.against('queens')}{findings(mine)}"
    assert PASSWORD not in told and "0ther" not in told
    assert {"option": "CONFIG_KEYSTONE_ADMIN_PW", "here": MASK, "there": MASK} in mine.against(theirs)
    with pytest.raises(BadInput, match="secret"):
        mine.value("CONFIG_KEYSTONE_ADMIN_PW")


@pytest.mark.parametrize("name", ["CONFIG_KEYSTONE_ADMIN_PW", "CONFIG_MY_PASSWORD", "config_own_token", "CONFIG_MYSQL_PW"])
def test_what_counts_as_secret(name: str) -> None:
    """Options that Packstack masks, their former names, and unknown ones that sound like one."""
    assert catalogue.secret(name)


def test_two_releases_differ() -> None:
    """From queens to 2025.1 the layer-2 agent became OVN, and Sahara went."""
    rows = {row["option"]: (row["here"], row["there"]) for row in releases("queens", "2025.1")}
    assert rows["CONFIG_NEUTRON_L2_AGENT"] == ("openvswitch", "ovn")
    assert rows["CONFIG_SAHARA_INSTALL"][1] == "(not in the file)"


CASES: list[tuple[dict[str, str], list[tuple[str, str]]]] = [
    ({"CONFIG_PROVISON_DEMO": "n"}, [("error", "CONFIG_PROVISON_DEMO")]),
    ({"CONFIG_NOVA_COMPUTE_HOSTS": "192.0.2.10"}, [("warning", "CONFIG_NOVA_COMPUTE_HOSTS")]),
    ({"CONFIG_SAHARA_INSTALL": "y"}, [("warning", "CONFIG_SAHARA_INSTALL")]),
    ({"CONFIG_PROVISION_DEMO": "no"}, [("error", "CONFIG_PROVISION_DEMO")]),
    ({"CONFIG_CINDER_VOLUME_NAME": "vg1"}, [("error", "CONFIG_CINDER_VOLUMES_CREATE")]),
    ({"CONFIG_CINDER_VOLUME_NAME": "vg1", "CONFIG_CINDER_VOLUMES_CREATE": "n"}, []),
    ({"CONFIG_CINDER_BACKEND": "nfs"}, [("warning", "CONFIG_CINDER_VOLUMES_CREATE")]),
    ({"CONFIG_NEUTRON_OVS_BRIDGE_IFACES": "br-ex:eno2"}, [("error", "CONFIG_NEUTRON_OVS_BRIDGE_IFACES")]),
    (
        {"CONFIG_NEUTRON_L2_AGENT": "openvswitch", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES": "br-ex:eno2"},
        [("error", "CONFIG_NEUTRON_ML2_MECHANISM_DRIVERS"), ("error", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES")],
    ),
    ({"CONFIG_NEUTRON_ML2_TENANT_NETWORK_TYPES": "geneve,vxlan"}, [("error", "CONFIG_NEUTRON_ML2_TENANT_NETWORK_TYPES")] * 2),
    ({"CONFIG_NEUTRON_ML2_TYPE_DRIVERS": "geneve,flat,vlan"}, [("warning", "CONFIG_NEUTRON_ML2_VLAN_RANGES")]),
    (
        {"CONFIG_NEUTRON_ML2_TYPE_DRIVERS": "geneve,vlan,flat", "CONFIG_NEUTRON_ML2_VLAN_RANGES": "extnet:9:1"},
        [("error", "CONFIG_NEUTRON_ML2_VLAN_RANGES"), ("warning", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES")],
    ),
    (
        {"CONFIG_NEUTRON_ML2_TYPE_DRIVERS": "geneve,vlan,flat", "CONFIG_NEUTRON_ML2_VLAN_RANGES": "default:1:1399"},
        [("error", "CONFIG_NEUTRON_ML2_VLAN_RANGES"), ("warning", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES")],
    ),
    (
        {"CONFIG_NEUTRON_ML2_VLAN_RANGES": "extnet"},
        [("error", "CONFIG_NEUTRON_ML2_TYPE_DRIVERS"), ("warning", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES")],
    ),
    (
        {"CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS": "default:br-ex"},
        [("error", "CONFIG_NEUTRON_OVN_EXTERNAL_PHYSNET")],
    ),
    ({"CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS": "extnet:br-ex,extnet"}, [("error", "CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS")]),
    ({"CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS": "extnet:br-ex,b:br-ex"}, [("error", "CONFIG_NEUTRON_OVN_BRIDGE_MAPPINGS")]),
    (
        {"CONFIG_NEUTRON_OVN_BRIDGE_IFACES": "br-vlan:eno2"},
        [("error", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES"), ("warning", "CONFIG_PROVISION_DEMO")],
    ),
    (
        {"CONFIG_NEUTRON_OVN_BRIDGE_IFACES": "br-ex:eno2", "CONFIG_NEUTRON_OVN_TUNNEL_IF": "eno2"},
        [("error", "CONFIG_NEUTRON_OVN_BRIDGE_IFACES"), ("warning", "CONFIG_PROVISION_DEMO")],
    ),
    ({"CONFIG_NEUTRON_OVN_BRIDGES_COMPUTE": "br-x"}, [("error", "CONFIG_NEUTRON_OVN_BRIDGES_COMPUTE")]),
    ({"CONFIG_NEUTRON_ML2_TYPE_DRIVERS": "geneve"}, [("error", "CONFIG_PROVISION_DEMO")]),
    ({"CONFIG_NEUTRON_INSTALL": "n"}, [("error", "CONFIG_NEUTRON_INSTALL")]),
    ({"CONFIG_GLANCE_BACKEND": "swift", "CONFIG_SWIFT_INSTALL": "n"}, [("error", "CONFIG_GLANCE_BACKEND")]),
    ({"CONFIG_COMPUTE_HOSTS": "192.0.2.11,192.0.2.12"}, [("warning", "CONFIG_NTP_SERVERS")]),
    (
        {"CONFIG_COMPUTE_HOSTS": "192.0.2.11", "CONFIG_CONTROLLER_HOST": "127.0.0.1", "CONFIG_NTP_SERVERS": "192.0.2.1"},
        [("error", "CONFIG_CONTROLLER_HOST")],
    ),
    ({"CONFIG_KEYSTONE_ADMIN_PW": ""}, [("warning", "CONFIG_KEYSTONE_ADMIN_PW")]),
]


@pytest.mark.parametrize(
    ("changed", "expected"), CASES, ids=lambda value: next(iter(value), "") if isinstance(value, dict) else ""
)
def test_findings(changed: dict[str, str], expected: list[tuple[str, str]]) -> None:
    """Each contradiction is found, and nothing besides it."""
    assert sorted(found(changed)) == sorted(expected)


LISTS = st.lists(st.sampled_from(["a", "br-ex", "vlan", "geneve", ":", "1", "4095", "x:y", "ovn", "y", " "]), max_size=6)
ANY = VALUE | st.builds(",".join, LISTS) | st.builds(":".join, LISTS)


@given(st.dictionaries(NEUTRON, ANY, max_size=6))
def test_any_answers_have_findings_that_are_rows(changed: dict[str, str]) -> None:
    """Whatever stands in neutron's answers: rows with a next step each, and what is masked stays so."""
    rows = findings(Answers(written(changed=changed, left_out=REST_BUT_NEUTRON).encode()))
    assert all(row.keys() == {"level", "option", "found", "hint"} and row["hint"] for row in rows)
    assert PASSWORD not in str(rows)


def test_a_misspelt_option_has_its_nearest_name() -> None:
    """The next step of a typing error is the name that was meant."""
    row = next(row for row in findings(read({"CONFIG_PROVISON_DEMO": "n"})) if row["option"] == "CONFIG_PROVISON_DEMO")
    assert "CONFIG_PROVISION_DEMO" in row["hint"]


@pytest.mark.parametrize("text", ["", "[other]\na=b\n", "CONFIG_X=y\n", "[general]\nnonsense\n"])
def test_no_answer_file(text: str) -> None:
    """What configparser or Packstack would refuse is refused, with the place."""
    with pytest.raises(BadInput):
        Answers(text.encode())


@given(
    st.lists(
        st.sampled_from(
            ["CONFIG_DEBUG_MODE", "config_x", "=", ":", " ", "\n", "#", ";", "[general]", "[", "'", "y", "\xe9", "\r\n", "\t"]
        )
    )
)
def test_any_bytes_are_read_or_refused(parts: list[str]) -> None:
    """Whatever the file holds, it is read as configparser reads it, or refused as bad input."""
    content = ("[general]\n" + "".join(parts)).encode("latin-1")
    try:
        answers = Answers(content)
    except BadInput:
        return
    assert findings(answers)
    assert answers.with_options({}) == content


def test_a_line_that_is_there_twice() -> None:
    """Packstack refuses it; so it is found."""
    twice = Answers((written() + "config_provision_demo=n\n").encode())
    assert next((row["level"], row["option"]) for row in findings(twice)) == ("error", "CONFIG_PROVISION_DEMO")


@pytest.mark.parametrize("agent", ["ovn", "openvswitch"])
@pytest.mark.parametrize("release", ["rocky", "train", "2025.1"])
def test_edits_leave_no_contradiction(agent: str, release: str) -> None:
    """The edits for real use go to the options of the backend in use, and what was found before is gone after."""
    drivers = {"CONFIG_NEUTRON_L2_AGENT": agent, "CONFIG_NEUTRON_ML2_MECHANISM_DRIVERS": agent}
    tenants = {"CONFIG_NEUTRON_ML2_TENANT_NETWORK_TYPES": "geneve", "CONFIG_NEUTRON_ML2_TYPE_DRIVERS": "geneve,flat"}
    old = read({**drivers, **tenants}, release)
    wanted = edits(old, group="cinder-volumes", demo=False, vlans="1:1399", mapping="default:br-ex:eno2")
    middle = "OVN" if agent == "ovn" else "OVS"
    assert wanted[f"CONFIG_NEUTRON_{middle}_BRIDGE_MAPPINGS"] == "default:br-ex"
    assert wanted[f"CONFIG_NEUTRON_{middle}_BRIDGE_IFACES"] == "br-ex:eno2"
    assert wanted["CONFIG_NEUTRON_ML2_VLAN_RANGES"] == "default:1:1399"
    new = Answers(old.with_options(wanted))
    assert [row for row in findings(new) if row["level"] != "note"] == []
    assert edits(new, group="cinder-volumes", demo=False, vlans="1:1399", mapping="default:br-ex:eno2") == {
        name: new.value(name) for name in wanted if name != f"CONFIG_NEUTRON_{middle}_EXTERNAL_PHYSNET"
    }


def test_edits_that_no_release_knows() -> None:
    """A mapping that is none is refused, and a volume group's name where Packstack has no such option."""
    with pytest.raises(BadInput, match="NETWORK:BRIDGE"):
        edits(read(), mapping="br-ex")
    assert "CONFIG_CINDER_VOLUME_NAME" not in catalogue.options("liberty")
    with pytest.raises(BadInput, match="CONFIG_CINDER_VOLUME_NAME"):
        edits(read(release="liberty"), group="vg1")
