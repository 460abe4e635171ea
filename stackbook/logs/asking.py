"""Questions to a site's APIs: each is asked once, and what can't be answered is a row that says why."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stackbook.cloud import told_by_cloud
from stackbook.errors import StackbookError
from stackbook.logs.event import Skipped

if TYPE_CHECKING:
    from stackbook.site import Site

Row = dict[str, Any]
VERSIONS = {"compute": "2.96", "block_storage": "3.64"}
"""The newest microversion whose answers are understood; without one, cinder has no messages."""
ABSENT = 404


class Answers:
    """What a site's APIs tell, each question asked once."""

    def __init__(self, site: Site | None) -> None:
        self._site = site
        logging.getLogger("keystoneauth").setLevel(logging.ERROR)  # what does not answer is told as a skipped row
        self._told: dict[tuple[str, str], Row | None] = {}
        self._dumb: set[str] = set()
        self.skipped: list[Skipped] = []

    @property
    def reachable(self) -> bool:
        """Whether the cloud lets us in."""
        if self._site is None or "identity" in self._dumb:
            return False
        if "signed" not in self._dumb:
            try:
                _ = self._site.conn
            except StackbookError as error:
                self._skip("identity", error)
                return False
            self._dumb.add("signed")
        return True

    def get(self, service: str, path: str) -> Row | None:
        """The answer to GET `path`; None when it is not there or the service does not answer."""
        if (service, path) not in self._told:
            self._told[service, path] = self._ask(service, path)
        return self._told[service, path]

    def one(self, service: str, path: str, key: str) -> Row | None:
        """The object `key` of the answer."""
        found = (self.get(service, path) or {}).get(key)
        return found if isinstance(found, dict) else None

    def rows(self, service: str, path: str, key: str) -> list[Row]:
        """The list `key` of the answer; empty when there is none."""
        return list((self.get(service, path) or {}).get(key) or ())

    # What is asked for often.

    @property
    def agents(self) -> list[Row]:
        """Neutron's agents."""
        return self.rows("network", "/agents", "agents")

    @property
    def compute_services(self) -> list[Row]:
        """Nova's services."""
        return self.rows("compute", "/os-services", "services")

    @property
    def volume_services(self) -> list[Row]:
        """Cinder's services."""
        return self.rows("block_storage", "/os-services", "services")

    @property
    def hypervisors(self) -> list[Row]:
        """Compute nodes; ``id`` is that of the resource provider."""
        return self.rows("compute", "/os-hypervisors/detail", "hypervisors")

    def network(self, id: str) -> Row | None:
        """A network."""
        return self.one("network", f"/networks/{id}", "network")

    def subnets(self, network: str) -> list[Row]:
        """The subnets of a network."""
        return self.rows("network", f"/subnets?network_id={quote(network)}", "subnets")

    def inventory(self, provider: str) -> tuple[Row, Row]:
        """What a resource provider has, and how much of it is used, by resource class."""
        stock = self.one("placement", f"/resource_providers/{provider}/inventories", "inventories") or {}
        return stock, self.one("placement", f"/resource_providers/{provider}/usages", "usages") or {}

    def _ask(self, service: str, path: str) -> Row | None:
        if not self.reachable or service in self._dumb or self._site is None:
            return None
        try:
            proxy = getattr(self._site.conn, service)
            answer = proxy.get(path, microversion=self._version(proxy, service))
            if answer.status_code == ABSENT:
                return None
            if answer.status_code >= 300:
                self._complain(service, path, answer)
                return None
            return dict(answer.json())
        except Exception as error:  # whatever one API does wrong, the others and the logs still tell
            told = error if isinstance(error, StackbookError) else told_by_cloud(error, service)
            if told is None:
                raise
            self._skip(service, told)
            return None

    def _version(self, proxy: Any, service: str) -> str | None:
        from openstack.utils import maximum_supported_microversion

        if service not in VERSIONS:
            return None
        found = maximum_supported_microversion(proxy, VERSIONS[service])
        return str(found) if found else None

    def _complain(self, service: str, path: str, answer: Any) -> None:
        from openstack.exceptions import HttpException, raise_from_response

        said, hint = answer.text.strip()[:200], ""
        try:
            raise_from_response(answer)
        except HttpException as error:
            told = told_by_cloud(error, service)
            said, hint = (str(told.found[0]), told.hint or "") if told else (said, "")
        self.skipped.append(Skipped("", f"API {service}: {path}", f"HTTP {answer.status_code}: {said}", hint))

    def _skip(self, service: str, error: StackbookError) -> None:
        self._dumb.add(service)
        found = error.found if isinstance(error.found, str) else "; ".join(str(item) for item in error.found or ())
        self.skipped.append(Skipped("", f"API {service}", f"{error.what}: {found}" if found else error.what, error.hint or ""))
