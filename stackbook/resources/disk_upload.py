"""A bundle's disk on its way into glance: streamed in one pass, compared with what arrived, taken up after a cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from stackbook.errors import CloudFailed, NotTaken
from stackbook.migration.bundle import BundleDisk, inspect
from stackbook.migration.passage import Chunked, Passage, glance_format, passage
from stackbook.migration.window import Tell
from stackbook.resources import lookup
from stackbook.resources.waiting import gone, settled
from stackbook.ticker import Ticker

if TYPE_CHECKING:
    from openstack.connection import Connection

SOURCE, SHA512 = "stackbook_source", "stackbook_sha512"
"""Properties of an image: which disk it holds, and the checksum of what was sent, set when it had arrived whole."""
ATTEMPTS = 2
LEAST_LIFE = 3600
"""Seconds that a token must still hold when an upload begins."""
BUSY = ("saving", "importing", "uploading", "queued", "pending_delete")


def source_disk(address: str, bundle: str, name: str, source: str, seen: tuple[int, ...]) -> BundleDisk:
    """The disk to send, looked at again; refused when its files are no longer those that were planned with."""
    found = inspect(bundle).disk(name)
    if found.source != source or (seen and found.seen != seen):
        from stackbook.errors import Refused

        what = f"{address}: the files of {name} changed since the plan was made"
        raise Refused(what, found=f"{found.source}, planned with {source}", hint="run again, read the new plan and approve that")
    return found


def find(conn: Connection, name: str, source: str) -> Any:
    """The image that holds this disk, whole or half; None when there is none."""
    found = (item for item in conn.image.images(name=name) if item.status not in ("deleted", "killed"))
    return next((item for item in found if item.properties.get(SOURCE) == source), None)


def arrived(image: Any) -> bool:
    """Whether an image had arrived whole."""
    return image is not None and image.status == "active" and image.properties.get(SHA512) == image.hash_value is not None


def remove(conn: Connection, id: str, what: str) -> None:
    """Delete an image and wait until it is gone."""
    conn.image.delete_image(id, ignore_missing=True)
    gone(lambda: lookup.existing(conn.image.get_image, id), what=what)


def send(
    conn: Connection, address: str, disk: BundleDisk, body: Mapping[str, Any], stop: Callable[[], bool] | None = None
) -> str:
    """Make the image `body` from the disk; returns its id. One that is there already and whole is taken as it is.

    With `stop` it says nothing on the way, and ends when that becomes true. Raises CloudFailed when what arrived is not
    what was sent; the image is then removed again.
    """
    name = str(body["name"])
    there = find(conn, name, disk.source)
    if arrived(there):
        return str(there.id)
    if there is not None:
        remove(conn, there.id, address)
    from keystoneauth1.exceptions.http import BadRequest

    try:
        return _sent(conn, address, disk, body, stop)
    except BadRequest as error:
        raise NotTaken(f"{address}: glance refuses {disk.name}", found=(error.details or error.message)[:300]) from None


def _sent(conn: Connection, address: str, disk: BundleDisk, body: Mapping[str, Any], stop: Callable[[], bool] | None) -> str:
    for attempt in range(1, ATTEMPTS + 1):
        id = str(conn.image.post("/images", json=_described(disk, body), raise_exc=True).json()["id"])
        try:
            return _filled(conn, address, disk, id, stop)
        except BaseException as error:
            remove(conn, id, address)
            if attempt == ATTEMPTS or not _broken_off(error):
                raise
            if stop is None:
                print(" the connection broke; once more …", end="", flush=True)
    raise AssertionError


def _described(disk: BundleDisk, body: Mapping[str, Any]) -> dict[str, Any]:
    return {**body, "disk_format": glance_format(disk), "container_format": "bare", SOURCE: disk.source}


def _telling(address: str, stop: Callable[[], bool] | None) -> Tell:
    ticker = Ticker()

    def tell(done: int, total: int) -> None:
        if stop is None:
            ticker.tell(f"{100 * done // max(total, 1)} %")
        elif stop():
            raise CloudFailed(f"{address}: the upload was stopped")

    return tell


def _filled(conn: Connection, address: str, disk: BundleDisk, id: str, stop: Callable[[], bool] | None) -> str:
    body = passage(disk, tell=_telling(address, stop))
    _renew(conn)
    headers = {"Content-Type": "application/octet-stream"}
    conn.image.put(f"/images/{id}/file", data=Chunked(body), headers=headers, raise_exc=True)
    image = settled(lambda: lookup.existing(conn.image.get_image, id), _state, what=address)
    _compare(address, disk, body, image)
    sent = {"op": "add", "path": f"/{SHA512}", "value": image.hash_value}  # type: ignore[union-attr]
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    conn.image.patch(f"/images/{id}", json=[sent], headers=patch, raise_exc=True)
    return id


def _compare(address: str, disk: BundleDisk, sent: Passage, image: Any) -> None:
    if image is None or image.status != "active":
        status = image.status if image is not None else "gone"
        raise CloudFailed(f"{address}: the upload of {disk.name} came to be {status}", hint="run again")
    algorithm = image.hash_algo or "sha512"
    if algorithm not in sent.digests:  # a site that hashes otherwise: the bytes are read once more
        sent = passage(disk, (algorithm,))
        for _ in sent:
            pass
    if image.hash_value != sent.digests[algorithm]:
        told = f"{algorithm} {image.hash_value}, sent {sent.digests[algorithm]}"
        raise CloudFailed(
            f"{address}: what arrived is not what {disk.name} holds; it was removed again", found=told, hint="run again"
        )


def _renew(conn: Connection) -> None:
    auth = conn.session.auth
    if auth is not None and auth.get_access(conn.session).will_expire_soon(LEAST_LIFE):
        auth.invalidate()


def _state(image: Any) -> str:
    return str(image.status) if image.status in BUSY else ""


def _broken_off(error: BaseException) -> bool:
    return "onnect" in type(error).__name__ or isinstance(error, ConnectionError)
