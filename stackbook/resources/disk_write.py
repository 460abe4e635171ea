"""A bundle's disk straight into a volume, where the volume's bytes lie on this machine: no image, nothing converted."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stackbook.errors import CloudFailed
from stackbook.migration.bundle import BundleDisk
from stackbook.migration.compare import Sums, copy
from stackbook.migration.passage import intact, unchanged
from stackbook.migration.window import Volume
from stackbook.resources import disk_place
from stackbook.ticker import percent

if TYPE_CHECKING:
    from stackbook.site import Site


def write(site: Site, address: str, disk: BundleDisk, id: str) -> Sums:
    """Make the volume hold the disk, and zeros after it; what is there already is not written again.

    Returns the checksums of what it has to hold now; the disk is left open for them. The manifest is checked first.
    Raises CloudFailed for a volume that lies elsewhere or is encrypted.
    """
    path = disk_place.readable(site, id, os.R_OK | os.W_OK)
    why = "it lies elsewhere, or is not yours to write to" if not path else ""
    if site.conn.block_storage.get_volume(id).is_encrypted:
        why = "it is encrypted: what is written below the encryption would be lost"
    if why:
        hint = "run on the volume host, as a user who may write there; or leave out path=volume"
        raise CloudFailed(f"{address}: volume {id} can't be written to from here", found=why, hint=hint)
    unchanged(disk)
    intact(disk, percent("checked"))
    with Volume(path) as volume:
        _, sums = copy(disk.open(), volume, percent("written"))
        volume.keep()
    return sums
