"""What in an answer file is unknown to Packstack, impossible, or at odds with itself: a row each, with one next step."""

from __future__ import annotations

from collections.abc import Iterator

from stackbook.packstack import catalogue, networks
from stackbook.packstack.answers import Answers
from stackbook.packstack.finding import Row, row

LOOP = "cinder-volumes"
YES, NO = "y", "n"


def findings(answers: Answers) -> list[Row]:
    """All findings: those that make Packstack fail first, then contradictions, then what is good to know."""
    rows = [*_unreadable(answers), *_unknown(answers), *_impossible(answers)]
    rows += [*networks.findings(answers), *_storage(answers), *_services(answers), *_hosts(answers)]
    order = {"error": 0, "warning": 1, "note": 2}
    return sorted(rows, key=lambda each: order[each["level"]])


def contradictions(answers: Answers) -> list[Row]:
    """The findings with which an installation fails, or does not do what the file says."""
    return [found for found in findings(answers) if found["level"] == "error"]


def _unreadable(answers: Answers) -> Iterator[Row]:
    for name in answers.repeated:
        yield row("error", name, "is there more than once", "keep one of the lines: Packstack refuses the file")
    for section in answers.foreign:
        yield row("error", f"[{section}]", "is a section that Packstack does not read", "move its options to [general]")


def _unknown(answers: Answers) -> Iterator[Row]:
    release = answers.release
    current = catalogue.options(release)
    for name in answers.names:
        if name in current:
            continue
        if now := catalogue.renamed(name):
            yield row("warning", name, f"is a former name of {now}", f"write {now}")
        elif option := catalogue.known(name):
            span = option.until if catalogue.RELEASES.index(option.until) < catalogue.RELEASES.index(release) else option.since
            word = "until" if span == option.until else "since"
            yield row("warning", name, f"is known {word} {span}, the file is one of {release}", "take it out: it has no effect")
        else:
            near = catalogue.nearest(name, release)
            yield row("error", name, "is unknown to every release", f"is {near} meant?" if near else "take it out")
    if missing := sorted(set(current) - set(answers.names)):
        told = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        hint = "packstack --gen-answer-file writes all of them: compare"
        yield row("note", "(missing)", f"{len(missing)} options of {release}: {told}", hint)


def _impossible(answers: Answers) -> Iterator[Row]:
    for name, option in catalogue.options(answers.release).items():
        if name not in answers.names:
            continue
        if option.secret:
            if not answers.given(name) and option.default.startswith(catalogue.MADE_UP):
                yield row("warning", name, "is empty", "set a password, or PW_PLACEHOLDER for a random one")
        elif not option.allows(answers.answer(name)):
            yield row("error", name, f"is {answers.answer(name)!r}", f"one of {', '.join(option.choices)}")


def _storage(answers: Answers) -> Iterator[Row]:
    if not answers.on("CONFIG_CINDER_INSTALL"):
        return
    create, group = answers.answer("CONFIG_CINDER_VOLUMES_CREATE"), answers.answer("CONFIG_CINDER_VOLUME_NAME") or LOOP
    lvm = "lvm" in answers.items("CONFIG_CINDER_BACKEND")
    if create == YES and lvm and group != LOOP:
        found = f"is y, and the volume group {group} is one of your own"
        yield row("error", "CONFIG_CINDER_VOLUMES_CREATE", found, "set n: Packstack would make a loop file for it instead")
    elif create == YES and lvm:
        size = answers.answer("CONFIG_CINDER_VOLUMES_SIZE")
        hint = "for more than a trial: make the volume group first (runbook cinder-lvm), then set n"
        yield row("warning", "CONFIG_CINDER_VOLUMES_CREATE", f"is y: volumes go into a loop file of {size}", hint)
    elif create == YES:
        yield row("warning", "CONFIG_CINDER_VOLUMES_CREATE", "is y, but the backend is not lvm", "set n")


def _services(answers: Answers) -> Iterator[Row]:
    if answers.on("CONFIG_NOVA_INSTALL") and not answers.on("CONFIG_NEUTRON_INSTALL"):
        yield row("error", "CONFIG_NEUTRON_INSTALL", "is n, and nova is to be installed", "set CONFIG_NEUTRON_INSTALL=y")
    if answers.answer("CONFIG_GLANCE_BACKEND") == "swift" and not answers.on("CONFIG_SWIFT_INSTALL"):
        yield row("error", "CONFIG_GLANCE_BACKEND", "is swift, which is not installed", "set CONFIG_SWIFT_INSTALL=y, or file")
    if answers.on("CONFIG_MAGNUM_INSTALL") and not answers.on("CONFIG_HEAT_INSTALL"):
        yield row("error", "CONFIG_MAGNUM_INSTALL", "is y without heat, which it builds on", "set CONFIG_HEAT_INSTALL=y")
    if answers.on("CONFIG_PROVISION_TEMPEST") and answers.on("CONFIG_PROVISION_DEMO"):
        yield row("note", "CONFIG_PROVISION_TEMPEST", "is y besides the demo", "both make public networks: keep one")


def _hosts(answers: Answers) -> Iterator[Row]:
    computes = answers.items("CONFIG_COMPUTE_HOSTS")
    controller = answers.answer("CONFIG_CONTROLLER_HOST")
    if controller in ("127.0.0.1", "localhost") and any(host != controller for host in computes):
        hint = "give the controller's address that the compute hosts reach"
        yield row("error", "CONFIG_CONTROLLER_HOST", f"is {controller}, and there are other hosts", hint)
    for name in ("CONFIG_COMPUTE_HOSTS", "CONFIG_NETWORK_HOSTS"):
        listed = answers.items(name)
        if len(set(listed)) < len(listed):
            yield row("warning", name, "names a host twice", "name each once")
    if len({controller, *computes}) > 1 and not answers.answer("CONFIG_NTP_SERVERS"):
        hint = "name time servers: tokens and agents need clocks that agree"
        yield row("warning", "CONFIG_NTP_SERVERS", "is empty, and there are several hosts", hint)
