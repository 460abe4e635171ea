"""A cinder driver that keeps each volume as one sparse raw file.

It needs no root. Its files hold the volumes' real bytes: what an image, a snapshot or another volume held is what is
read back. Imported by cinder-volume, after the patches.
"""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

from cinder import exception, interface
from cinder.image import image_utils
from cinder.volume import configuration, driver, volume_utils
from cinder.volume.drivers import lvm
from oslo_config import cfg
from oslo_log import log as logging
from oslo_utils import units

from openstack_sandbox import cinder_files

LOG = logging.getLogger(__name__)

OPTIONS = [
    cfg.IntOpt("volume_group_size_gb", default=100, min=1, help="Size of the volume group in GiB; not reserved."),
]


@interface.volumedriver
class SparseFileDriver(driver.VolumeDriver):
    """Volumes and snapshots as sparse files in ``volumes_dir``, counted against the size of a volume group."""

    VERSION = "1.0.0"
    CI_WIKI_NAME = "none"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.configuration.append_config_values(OPTIONS)
        self.configuration.append_config_values(lvm.volume_opts)  # volume_group
        self._making = threading.Lock()

    @staticmethod
    def get_driver_options() -> list[Any]:
        """The options of the backend's section that are this driver's own."""
        return OPTIONS

    def check_for_setup_error(self) -> None:
        """Refuse to start without a folder for the files."""
        if not self._folder.is_dir():
            raise exception.VolumeBackendAPIException(data=f"volumes_dir {self._folder} does not exist")

    # Volumes and snapshots

    def create_volume(self, volume: Any) -> None:
        """Make an empty volume."""
        self._make(self._path(volume), _bytes(volume.size))

    def delete_volume(self, volume: Any) -> None:
        """Remove a volume; one that is not there counts as removed."""
        self._path(volume).unlink(missing_ok=True)

    def extend_volume(self, volume: Any, new_size: int) -> None:
        """Give a volume `new_size` GiB; what is added reads as zeros."""
        with self._making:
            self._require_room(_bytes(new_size) - self._path(volume).stat().st_size)
            cinder_files.resize(self._path(volume), _bytes(new_size))

    def create_snapshot(self, snapshot: Any) -> None:
        """Copy the volume as it is now."""
        self._copy(self._path(snapshot.volume), self._path(snapshot), snapshot.volume_size)

    def delete_snapshot(self, snapshot: Any) -> None:
        """Remove a snapshot; one that is not there counts as removed."""
        self._path(snapshot).unlink(missing_ok=True)

    def create_volume_from_snapshot(self, volume: Any, snapshot: Any) -> None:
        """Make a volume of the snapshot's bytes; a larger one ends in zeros."""
        self._copy(self._path(snapshot), self._path(volume), volume.size)

    def create_cloned_volume(self, volume: Any, src_vref: Any) -> None:
        """Make a volume of another's bytes; a larger one ends in zeros."""
        self._copy(self._path(src_vref), self._path(volume), volume.size)

    def revert_to_snapshot(self, context: Any, volume: Any, snapshot: Any) -> None:
        """Give a volume the snapshot's bytes again and leave its size as it is."""
        cinder_files.copy(self._path(snapshot), self._path(volume), _bytes(volume.size))

    def retype(self, context: Any, volume: Any, new_type: Any, diff: Any, host: Any) -> tuple[bool, None]:
        """Take over any new type: nothing in a file depends on it."""
        return True, None

    # Images

    def copy_image_to_volume(
        self, context: Any, volume: Any, image_service: Any, image_id: str, disable_sparse: bool = False
    ) -> None:
        """Fill a volume from an image, by cinder's own way: fetch, inspect, convert to raw.

        The file is always made afresh, so holes read as zeros: `disable_sparse` has nothing to guard against.
        """
        path, block = self._path(volume), self.configuration.volume_dd_blocksize
        image_utils.fetch_to_raw(
            context, image_service, image_id, str(path), block, size=volume.size, run_as_root=False
        )  # fmt: skip
        cinder_files.resize(path, _bytes(volume.size))

    def copy_volume_to_image(self, context: Any, volume: Any, image_service: Any, image_meta: dict[str, Any]) -> None:
        """Upload a volume's bytes as an image, converted where the image asks for another format than raw."""
        volume_utils.upload_volume(
            context, image_service, image_meta, str(self._path(volume)), volume, run_as_root=False
        )  # fmt: skip

    # Connections

    def local_path(self, volume: Any) -> str:
        """The path of a volume's file."""
        return str(self._path(volume))

    def ensure_export(self, context: Any, volume: Any) -> None:
        """Nothing to do: a file needs no export."""

    def create_export(self, context: Any, volume: Any, connector: Any) -> None:
        """Nothing to do: a file needs no export."""

    def remove_export(self, context: Any, volume: Any) -> None:
        """Nothing to do: a file needs no export."""

    def initialize_connection(self, volume: Any, connector: Any, **_options: Any) -> dict[str, Any]:
        """Say where the volume's file is; ``local`` is os-brick's name for a device that is already there."""
        return {
            "driver_volume_type": "local",
            "data": {"volume_id": volume.id, "device_path": self.local_path(volume)},
        }

    def terminate_connection(self, volume: Any, connector: Any, **_options: Any) -> None:
        """Nothing to do: nothing was opened."""

    # Capacity

    def get_pool(self, volume: Any) -> str:
        """The only pool, named after the backend."""
        return str(self.configuration.safe_get("volume_backend_name"))

    def _update_volume_stats(self) -> None:
        name, used = self.get_pool(None), self._used() / units.Gi
        total = self._capacity()
        pool = {
            "pool_name": name,
            "total_capacity_gb": total,
            "free_capacity_gb": round(total - used, 2),
            "provisioned_capacity_gb": round(used, 2),
            "reserved_percentage": self.configuration.reserved_percentage,
            "max_over_subscription_ratio": self.configuration.max_over_subscription_ratio,
            "thick_provisioning_support": True,
            "thin_provisioning_support": False,
            "total_volumes": sum(1 for _ in self._folder.glob("volume-*")),
            "location_info": f"SparseFileDriver:{self.host}:{self.configuration.volume_group}",
            "QoS_support": False,
            "multiattach": True,
            "backend_state": "up",
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
        }
        self._stats = {
            "volume_backend_name": name,
            "vendor_name": "Open Source",
            "driver_version": self.VERSION,
            "storage_protocol": "local",
            "shared_targets": False,
            "sparse_copy_volume": True,
            "pools": [pool],
        }

    def _capacity(self) -> float:
        """Size of the volume group in GiB."""
        return float(self.configuration.volume_group_size_gb)

    @property
    def _folder(self) -> Path:
        return Path(self.configuration.volumes_dir)

    def _path(self, volume_or_snapshot: Any) -> Path:
        return self._folder / str(volume_or_snapshot["name"])

    def _copy(self, source: Path, target: Path, size: int) -> None:
        self._make(target, _bytes(size))
        try:
            cinder_files.copy(source, target, _bytes(size))
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def _make(self, path: Path, size: int) -> None:
        with self._making:
            self._require_room(size)
            cinder_files.create(path, size)

    def _require_room(self, size: int) -> None:
        free = _bytes(self._capacity()) - self._used()
        if size > free:
            group = self.configuration.volume_group
            reason = f'Volume group "{group}" has insufficient free space: {free} bytes, {size} required'
            raise exception.VolumeBackendAPIException(data=reason)

    def _used(self) -> int:
        """Bytes that volumes and snapshots take from the volume group: their whole sizes."""
        return sum(path.stat().st_size for path in self._folder.iterdir())


class VolumeGroupDriver(SparseFileDriver):
    """What ``LVMVolumeDriver`` in cinder.conf means on a sandbox host.

    Volumes are sparse files there too, since logical volumes need a kernel's device-mapper and root. Their room is that
    of the volume group named in the configuration, as LVM tells it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._asked: tuple[int, float] = (0, 0.0)

    def check_for_setup_error(self) -> None:
        """Refuse to start without the volume group, in the words of cinder's own driver."""
        super().check_for_setup_error()
        self._capacity()

    def _capacity(self) -> float:
        host, group = Path(cfg.CONF.state_path).parents[2], str(self.configuration.volume_group)
        backup = host / "var" / "lib" / "lvm" / "backup" / group  # LVM writes it with every change
        changed = backup.stat().st_mtime_ns if backup.exists() else 0
        if not changed or changed != self._asked[0]:
            self._asked = (changed, self._ask(host / "usr" / "bin" / "vgs", group))
        return self._asked[1]

    @staticmethod
    def _ask(program: Path, group: str) -> float:
        asked = [str(program), "--noheadings", "--nosuffix", "--units", "g", "-o", "vg_size", group]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        if answer.returncode:
            LOG.error("vgs: %s", answer.stderr.strip())
            raise exception.VolumeBackendAPIException(data=f"Volume Group {group} does not exist")
        return float(answer.stdout)


def _bytes(gibibytes: float) -> int:
    return int(gibibytes * units.Gi)


cfg.CONF.register_opts(OPTIONS, group=configuration.SHARED_CONF_GROUP)
