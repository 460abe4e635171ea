"""Connections to OpenStack, from clouds.yaml, a keystonerc file, ``OS_*`` variables or a sandbox."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackbook.config import SiteSettings, sandbox_settings
from stackbook.errors import BadInput, CloudFailed, StackbookError, Unreachable
from stackbook.ticker import Ticker

if TYPE_CHECKING:
    from openstack.connection import Connection

REQUEST_ID_HEADER = "X-Openstack-Request-Id"


def open_cloud(site: SiteSettings, request_id: str) -> Connection:
    """A connection that sends `request_id` as the global request id with every request.

    Nothing is asked of the cloud yet; see `sign_in`.
    """
    import openstack

    connection = openstack.connect(app_name="stackbook", **credentials(site))
    connection.session.additional_headers[REQUEST_ID_HEADER] = request_id
    return connection


def sign_in(connection: Connection, site: SiteSettings) -> None:
    """Get a token now, so that wrong credentials or an unreachable cloud show before anything else."""
    from keystoneauth1 import exceptions

    try:
        with Ticker(f"signing in to {site.name}"):
            connection.authorize()
    except Exception as error:  # openstacksdk wraps, keystoneauth1 does not: both name the cause in their text
        refused = isinstance(error.__cause__ or error, exceptions.Unauthorized) or "401" in str(error)
        what = "refused the credentials" if refused else "can't be reached"
        name = "" if site.sandbox == "default" else f" --name {site.sandbox}"
        hint = f"stackbook sandbox up{name}" if site.sandbox else "check the entry in clouds.yaml, then: openstack token issue"
        raise Unreachable(f"site {site.name}: the cloud {what}", found=_brief(error), hint=hint) from None


def credentials(site: SiteSettings) -> dict[str, Any]:
    """The arguments of `openstack.connect` for `site`."""
    if site.sandbox:
        return _sandbox(site.sandbox)
    if site.rc:
        return _from_variables(keystonerc(Path(site.rc).expanduser()))
    return {"cloud": site.cloud}


def keystonerc(path: Path) -> dict[str, str]:
    """The ``OS_*`` variables of a ``keystonerc_admin`` file; nothing in it is executed."""
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise BadInput(
            f"{path}: can't be read: {error.strerror}", hint="name the keystonerc file as rc in stackbook.toml"
        ) from None
    exports = (re.match(r"\s*(?:export\s+)?(OS_\w+)=(.*)", line) for line in lines)
    return {found[1]: "".join(shlex.split(found[2], comments=True)) for found in exports if found}


@contextmanager
def api_errors(address: str) -> Iterator[None]:
    """Turn what openstacksdk and keystoneauth raise into errors that name `address`, the API's message and request id."""
    try:
        yield
    except StackbookError:
        raise
    except Exception as error:
        told = told_by_cloud(error, address)
        if told is None:
            raise
        raise told from None


def told_by_cloud(error: Exception, address: str) -> StackbookError | None:
    """The error as an operator reads it; None when it did not come from the cloud."""
    if not type(error).__module__.startswith(("openstack.", "keystoneauth1.", "requests.")):
        return None
    code = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    request = getattr(error, "request_id", None)
    message = _brief(Exception(getattr(error, "details", None) or getattr(error, "message", None) or str(error)), 1000)
    found = [message, f"request {request}"] if request else [message]
    if code == 401:
        return Unreachable(f"{address}: the cloud refused the credentials", found=found, hint="openstack token issue")
    if code is None and "onnect" in type(error).__name__:
        return Unreachable(f"{address}: the cloud does not answer", found=found, hint="stackbook doctor")
    what = _REFUSALS.get(code, f"failed with HTTP {code}" if code else "failed")
    hint = f"stackbook trace {request}" if request else None
    return CloudFailed(f"{address}: the cloud {what}", found=found, hint=hint)


_REFUSALS: dict[int | None, str] = {
    400: "does not accept the request",
    403: "does not permit it",
    404: "does not find it",
    409: "refuses it: something is in the way",
    413: "refuses it: over the limit",
}


def _from_variables(variables: dict[str, str]) -> dict[str, Any]:
    named = {name.removeprefix("OS_").lower(): value for name, value in variables.items()}
    region = named.pop("region_name", None)
    version = named.pop("identity_api_version", "3")
    return {
        "auth": named,
        "region_name": region,
        "identity_api_version": version,
        "load_yaml_config": False,
        "load_envvars": False,
    }


def _sandbox(name: str) -> dict[str, Any]:
    settings = sandbox_settings(name)
    auth = {
        "auth_url": f"http://127.0.0.1:{settings['ports']['keystone']}/v3",
        "username": "admin",
        "password": settings["admin_password"],
        "project_name": "admin",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    return {"auth": auth, "region_name": "RegionOne", "load_yaml_config": False, "load_envvars": False}


def _brief(error: Exception, most: int = 300) -> str:
    return str(error).strip().splitlines()[0][:most] if str(error).strip() else type(error).__name__
