"""Options judged by what the services know of them: real sample files, real mistakes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackbook.ini import IniText
from stackbook.options import findings, knowledge, projects
from stackbook.options.knowledge import FILE
from stackbook.options.removed import EVERYWHERE, REMOVED
from stackbook.sandbox import installation
from stackbook.sandbox.recipe import REAL

LARGEST = 300_000
TEMPLATE = re.compile(r"^#(?=[a-z_0-9-]+ = (?!<|$))", re.MULTILINE)
"""The start of a commented-out option; one that has no value of its own (``<None>``) stays a comment."""
GOING = re.compile(r"# This option is deprecated for removal")
BACKEND = "[DEFAULT]\nenabled_backends = fast\n[fast]\nvolume_driver = x\nvolume_gruop = v\n"
INSIDE = Path(__file__).parents[1] / "scripts" / "options_inside.py"
NO_VALUES = {"thread_pool_size", "u4p_failover_timeout"}
"""Their samples hold what their own types refuse: the text ``multiprocessing.cpu_count()``, and 20.0 for a whole number."""
TRUE_OF_THE_SANDBOX = {
    ("cinder.conf", "api_paste_config", "will be removed"),
    ("cinder.conf", "volume_group_size_gb", "unknown to cinder"),  # its own driver's, as a plugin's would be
    ("ml2_conf.ini", "tenant_network_types", "deprecated: use [ml2] project_network_types"),  # as installations have it
}


def judged(project: str, text: str) -> list[tuple[int, str, str]]:
    """Line, option and summary of each finding."""
    return [(found.line, found.option, found.summary) for found in findings(project, IniText(text.encode()))]


def test_small() -> None:
    """The knowledge is small enough to ship."""
    assert FILE.stat().st_size < LARGEST
    assert set(projects()) == {"cinder", "glance", "keystone", "neutron", "nova", "placement"}


def test_of_the_sandboxs_release() -> None:
    """It was made from the versions that the sandbox installs: else run scripts/options.py again."""
    pinned = dict(line.split("==") for line in REAL.lock.read_text().splitlines() if re.fullmatch(r"[\w.-]+==[\w.]+", line))
    pinned["placement"] = pinned["openstack-placement"]
    assert {project: knowledge(project).version for project in projects()} == {project: pinned[project] for project in projects()}


@pytest.mark.parametrize(
    ("project", "text", "summary"),
    [
        ("nova", "[DEFAULT]\ndebgu = true\n", "unknown option (nearest known: debug)"),
        ("nova", "[DEFAULT]\ndebug = ture\n", "'ture' is neither true nor false"),
        ("nova", "[DEFAULT]\nvnc_enabled = true\n", "deprecated: use [vnc] enabled"),
        ("nova", "[libvirt]\nvirt_type = qmeu\n", "'qmeu' is none of kvm, lxc, qemu, parallels"),
        ("nova", "[DEFAULT]\nvirt_type = qemu\n", "not read in this section: it belongs to [libvirt]"),
        ("nova", "[DEFAULT]\nfirewall_driver = nova.virt.firewall.NoopFirewallDriver\n", "removed: it has no effect"),
        ("nova", "[databse]\nconnection = sqlite://\n", "unknown section (nearest known: [database])"),
        ("nova", "[DEFAULT]\ndebug = true\ndebug = false\n", "overruled by line 3"),
        ("nova", "[DEFAULT]\nosapi_compute_workers = many\n", "unknown to nova"),
        ("nova", "[service_user]\nuser_nmae = nova\n", "unknown option (nearest known: user_name)"),
        ("nova", "[scheduler]\nmax_attempts = 0\n", "0 is not within 1 to …"),
        ("neutron", "[DEFAULT]\nexternal_network_bridge =\n", "removed: it has no effect"),
        ("neutron", "[agent]\nbridge_mappings = default:br-ex\n", "not read in this section"),
        ("cinder", BACKEND, "unknown option (nearest known: volume_group)"),
        ("glance", "[DEFAULT]\nregistry_host = controller\n", "removed: it has no effect"),
        ("keystone", "[token]\nexpiration = 1h\n", "'1h' is no whole number"),
    ],
)  # fmt: skip
def test_mistakes(project: str, text: str, summary: str) -> None:
    """Each kind of mistake is told from the others, once, with the line and the right name."""
    (found,) = judged(project, text)
    line = 5 if project == "cinder" else 2
    assert found[2].startswith(summary), found
    assert found[0] == (1 if "section (" in summary else line)


@pytest.mark.parametrize(
    ("project", "text"),
    [
        ("cinder", "[DEFAULT]\nenabled_backends = lvm-1\n[lvm-1]\nvolume_backend_name = LVM\ntarget_helper = lioadm\n"),
        ("cinder", "[DEFAULT]\nenabled_backends = databas\n[databas]\nvolume_driver = x\n"),
        ("glance", "[DEFAULT]\nenabled_backends = fast:file\n[fast]\nfilesystem_store_datadir = /x\n"),
        ("neutron", "[vpnagent]\nvpn_device_driver = x\n[genericswitch:sw-1]\ndevice_type = x\n"),
        ("nova", "[DEFAULT]\nmy_block_storage_ip = $my_ip\nreserved_host_memory_mb = $x\n"),
        ("nova", "[neutron]\nauth_type = password\nauth_url = http://x\nusername = nova\npassword = x\nproject_name = service\n"),
        ("nova", "[pci]\nalias = {}\nalias = {}\n"),
        ("keystone", "[DEFAULT]\nlog-file = /x\n"),
        ("nova", "[databse]\n# connection = x\n[oslo_messaging_amqp]\n"),
    ],
)
def test_no_false_findings(project: str, text: str) -> None:
    """Backends, plugins, references, ways to sign in and options of many values are not taken for mistakes."""
    assert judged(project, text) == []


@given(st.sampled_from(sorted(projects())), st.text("abcdefgh_-", min_size=1, max_size=12), st.text(max_size=20))
def test_never_fails(project: str, option: str, value: str) -> None:
    """Whatever a file holds, judging it ends in findings; values that may be secret are in none."""
    text = f"[DEFAULT]\n{option} = {''.join(value.split())}\n[keystone_authtoken]\npasswrod = s3cr3t\n"
    assert not [found for found in judged(project, text) if "s3cr3t" in found[2]]


def test_the_removed_are_gone() -> None:
    """What is told to be removed is known to no service of this release, under no name."""
    for project in projects():
        known = knowledge(project)
        for section, option in {**EVERYWHERE, **REMOVED.get(project, {})}:
            assert option not in known.options.get(section, {}), (project, section, option)
            assert option not in known.renamed.get(section, {}), (project, section, option)


@pytest.mark.parametrize("project", ["neutron", "nova", "cinder", "glance", "keystone"])
def test_sample_files(sandbox: Path, project: str) -> None:
    """A service's own sample file, with every option set to its default, has no findings but those that it tells itself."""
    command = [str(installation.python(REAL)), "-W", "ignore", str(INSIDE), "ini", *knowledge(project).namespaces]
    sample = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    every = TEMPLATE.sub("", sample)
    assert len(TEMPLATE.findall(sample)) > 150
    assert judged(project, sample) == []
    found = judged(project, every)
    own = [item for item in found if not item[2].startswith("overruled")]  # the options of several programs, some of them twice
    assert [item for item in own if item[2] != "will be removed" and item[1] not in NO_VALUES] == []
    assert len(own) <= len(GOING.findall(sample))


def test_the_sandboxs_own_files(sandbox: Path) -> None:
    """The sandbox's files hold no mistakes; the few findings about them are true."""
    services = [path for project in projects() for path in sandbox.glob(f"hosts/*/etc/{project}/**/*")]
    files = [path for path in services if path.suffix in (".conf", ".ini") and "paste" not in path.name]
    assert len(files) >= 12
    told = {
        (path.name, option, summary)
        for path in files
        for _, option, summary in judged(path.relative_to(sandbox / "hosts").parts[2], path.read_text())
    }
    unknown = [
        item for item in told if not any(item[:2] == known[:2] and item[2].startswith(known[2]) for known in TRUE_OF_THE_SANDBOX)
    ]
    assert unknown == []
