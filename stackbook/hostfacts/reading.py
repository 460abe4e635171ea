"""The facts of hosts, all hosts at once; a host or a tool that does not answer is a row that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stackbook.errors import StackbookError
from stackbook.hostfacts.clocks import clock
from stackbook.hostfacts.configuration import configuration
from stackbook.hostfacts.network import bridges, interfaces, path_mtu
from stackbook.hostfacts.storage import disks, file_systems, instances
from stackbook.hostfacts.system import packages, system
from stackbook.hosts import Host, everywhere
from stackbook.site import Site
from stackbook.tables.surveys import Survey
from stackbook.ticker import Ticker

Row = dict[str, Any]
Reader = Callable[[Site, Host], list[Row]]
READERS: dict[str, Reader] = {
    "systems": system,
    "clocks": clock,
    "disks": disks,
    "file_systems": file_systems,
    "instances": instances,
    "interfaces": interfaces,
    "bridges": bridges,
    "path_mtu": path_mtu,
    "packages": packages,
    "configuration": configuration,
}
"""The kinds of facts, in the order in which they are shown."""
UNAVAILABLE = "unavailable"


def host_survey(site: Site) -> Survey:
    """Every kind of fact of every host of `site`: a table each, with the host in the first column.

    A host that does not answer, and a fact that it can't tell (a tool is missing), are rows with ``unavailable``: why.
    """

    def read(host: Host) -> dict[str, list[Row]]:
        host.run(["true"])  # one that does not answer says so once
        found = {}
        for kind, reader in READERS.items():
            found[kind] = _tried(reader, site, host)
            ticker.tell(f"{host.name} {kind}")
        return found

    with site.remembering(), Ticker("hosts") as ticker:
        answers = everywhere(site.hosts.values(), read)
    rows: dict[str, list[Row]] = {kind: [] for kind in READERS}
    for name in site.hosts:
        for kind, listed in rows.items():
            if name in answers.found:
                listed += [{"host": name, **row} for row in answers.found[name][kind]]
    rows["systems"] += [{"host": name, UNAVAILABLE: error.what} for name, error in answers.failed.items()]
    return Survey(rows)


def _tried(reader: Reader, site: Site, host: Host) -> list[Row]:
    try:
        return reader(site, host)
    except StackbookError as error:
        said = str(error.found).strip().splitlines() if error.found else []
        return [{UNAVAILABLE: ": ".join([error.what, *said[:1]])}]
    except (KeyError, ValueError, TypeError) as error:  # a tool of another version answers in another form
        return [{UNAVAILABLE: f"{host.name}: {reader.__name__} was not understood ({type(error).__name__}: {error})"}]
