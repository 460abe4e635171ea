"""Key pairs: the public half only, so that no private key ever passes through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stackbook.errors import BadInput
from stackbook.plans import Actual, Change, Resource, Values
from stackbook.resources import lookup
from stackbook.resources.waiting import gone

if TYPE_CHECKING:
    from stackbook.site import Site

KINDS = ("ssh-", "ecdsa-", "sk-")


@dataclass(frozen=True)
class KeyPair(Resource):
    """A public SSH key under a name; it belongs to the user one is signed in as."""

    kind: ClassVar[str] = "keypair"
    fixed: ClassVar[frozenset[str]] = frozenset({"public_key"})

    name: str
    public_key: str | None = None
    """As in ``id_ed25519.pub``; its comment does not count."""

    def __post_init__(self) -> None:
        if self.public_key is None:
            return
        if "PRIVATE KEY" in self.public_key or not self.public_key.strip().startswith(KINDS):
            raise BadInput(f"{self.address}: public_key is not a public key", hint="take the content of the .pub file")
        lookup.put(self, public_key=_bare(self.public_key))

    def read(self, site: Site, pending: Sequence[Change] = ()) -> Actual | None:
        """The key of that name."""
        found = lookup.existing(site.conn.compute.get_keypair, self.name)
        return Actual(self.name, {"public_key": _bare(found.public_key)}) if found is not None else None

    def check(self, site: Site, actual: Actual | None, others: Sequence[Resource]) -> None:
        """Refuse a new key pair without its public key."""
        if actual is None and self.public_key is None:
            raise BadInput(f"{self.address}: a new key pair needs public_key", hint="make one: ssh-keygen -t ed25519")

    def create(self, site: Site, change: Change) -> Values:
        """Import the public key."""
        site.conn.compute.create_keypair(name=self.name, public_key=self.public_key)
        return {"id": self.name}

    def delete(self, site: Site, change: Change) -> Values:
        """Remove the key; servers made with it keep it."""
        compute = site.conn.compute
        compute.delete_keypair(self.name, ignore_missing=True)
        gone(lambda: lookup.existing(compute.get_keypair, self.name), what=self.address)
        return {"id": self.name}


def _bare(text: str) -> str:
    return " ".join(text.split()[:2])
