"""Lets raw images pass between glance and volumes on a machine that has no qemu-img.

Why: cinder inspects every image with ``qemu-img info`` and copies even raw ones with ``qemu-img convert``. Where the
program is installed nothing changes. Where it is not, a file that cinder's own format inspection finds to be raw is
described from its size and copied with its holes; any other format is refused, with the reason in the log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from openstack_sandbox import cinder_files


def apply() -> None:
    """Patch ``cinder.image.image_utils``; whether qemu-img is there is asked again at every use."""
    from cinder.image import image_utils

    info, convert = image_utils.qemu_img_info, image_utils._convert_image

    def qemu_img_info(path: str, *arguments: Any, **options: Any) -> Any:
        return (info if _installed() else _describe_raw)(path, *arguments, **options)

    def convert_image(prefix: Any, source: str, dest: str, out_format: str, *arguments: Any, **options: Any) -> None:
        if _installed():
            convert(prefix, source, dest, out_format, *arguments, **options)
        else:
            _copy_raw(source, dest, out_format)

    image_utils.qemu_img_info, image_utils._convert_image = qemu_img_info, convert_image


def _installed() -> bool:
    return shutil.which("qemu-img") is not None


def _describe_raw(
    path: str,
    run_as_root: bool = True,
    force_share: bool = False,
    allow_qcow2_backing_file: bool = False,
    img_format: str | None = None,
) -> Any:
    """What ``qemu-img info`` says of the raw file `path`; refuses other formats."""
    from oslo_utils import imageutils

    if img_format != "raw":
        _require_raw(path, allow_qcow2_backing_file)
    status = os.stat(path)
    described = {
        "filename": path,
        "format": "raw",
        "virtual-size": status.st_size,
        "actual-size": status.st_blocks * 512,
    }
    return imageutils.QemuImgInfo(json.dumps(described), format="json")


def _require_raw(path: str, allow_backing_file: bool) -> None:
    import cinder.privsep.format_inspector as inspector
    from cinder import exception

    found = inspector.get_format_if_safe(path=path, allow_qcow2_backing_file=allow_backing_file)
    if found is None:
        raise exception.Invalid(reason="Image/Volume failed safety check")
    if found != "raw":
        _refuse(path, f"its data is {found}, and qemu-img is not installed on this host")


def _copy_raw(source: str, dest: str, out_format: str) -> None:
    if out_format != "raw":
        _refuse(source, f"it can't be converted to {out_format}: qemu-img is not installed on this host")
    cinder_files.copy(Path(source), Path(dest))


def _refuse(path: str, reason: str) -> None:
    from cinder import exception

    name = os.path.basename(path)
    identity = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", name)  # of the image or of the volume
    advice = "Only raw images can be used without it (Debian, Ubuntu: qemu-utils)."
    raise exception.ImageUnacceptable(image_id=identity[0] if identity else name, reason=f"{reason}. {advice}")
