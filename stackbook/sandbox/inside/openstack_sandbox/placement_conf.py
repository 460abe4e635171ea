"""The text of ``/etc/placement/placement.conf``."""

from __future__ import annotations

from openstack_sandbox import frame
from openstack_sandbox.home import Home


def placement_conf(home: Home) -> str:
    """The initial configuration of placement in `home`."""
    return f"""\
[DEFAULT]
log_file = {home.log("placement", "placement-api")}
use_stderr = false
debug = false

[api]
auth_strategy = keystone

[keystone_authtoken]
www_authenticate_uri = {home.url("keystone", "/v3")}
auth_url = {home.url("keystone", "/v3")}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = placement
password = {home.service_password}
region_name = RegionOne
service_token_roles_required = true

[oslo_policy]
policy_file = {home.etc("placement") / "policy.yaml"}

[placement]
# Two racing claims on one host are settled by trying again.
allocation_conflict_retry_count = 20

[placement_database]
connection = {frame.database_url(home, "placement")}
"""
