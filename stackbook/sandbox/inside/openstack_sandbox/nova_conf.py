"""Text of nova's configuration files, as an operator finds them in /etc/nova on each host."""

from __future__ import annotations

import uuid

from openstack_sandbox import frame
from openstack_sandbox.home import CONTROLLER, Home

ADDRESSES = {"controller1": "10.0.0.11", "compute1": "10.0.0.31", "compute2": "10.0.0.32"}
"""``my_ip`` of each host, with the numbers of the official installation guide; nothing listens there."""


def controller_conf(home: Home) -> str:
    """nova.conf of the controller: API, scheduler, conductor."""
    return f"""\
[DEFAULT]
{_default(home, CONTROLLER)}
allow_resize_to_same_host = false

[api]
# Checking each answer against its schema costs a third of the time that a list of servers takes.
response_validation = ignore

[api_database]
connection = {frame.database_url(home, "nova_api")}

[database]
connection = {frame.database_url(home, "nova")}

[keystone_authtoken]
www_authenticate_uri = {home.url("keystone", "/v3")}
{_credentials(home, "nova")}
service_token_roles = service
service_token_roles_required = true

[scheduler]
workers = 1
# Seconds between two looks for new compute hosts.
discover_hosts_in_cells_interval = 300

[filter_scheduler]
available_filters = nova.scheduler.filters.all_filters
enabled_filters = ComputeFilter,ComputeCapabilitiesFilter,ImagePropertiesFilter,ServerGroupAntiAffinityFilter,\
ServerGroupAffinityFilter
#track_instance_changes = true

[conductor]
workers = 1

[quota]
driver = nova.quota.DbQuotaDriver
#instances = 10
#cores = 20
#ram = 51200

[vnc]
enabled = true
novncproxy_base_url = http://127.0.0.1:6080/vnc_auto.html

{_clients(home)}"""


def compute_conf(home: Home, host: str) -> str:
    """nova.conf of the compute host `host`."""
    return f"""\
[DEFAULT]
{_default(home, host)}
compute_driver = sandbox.SandboxDriver

# How much more than it has a host gives away. Unset: the initial ratios below count for a new host.
#cpu_allocation_ratio = 4.0
#ram_allocation_ratio = 1.0
#disk_allocation_ratio = 1.0
#initial_cpu_allocation_ratio = 4.0

# Kept back for the host itself.
#reserved_host_cpus = 0
#reserved_host_memory_mb = 512
#reserved_host_disk_mb = 0

# A server whose ports neutron does not plug in time is not started.
vif_plugging_is_fatal = true
vif_plugging_timeout = 60

allow_resize_to_same_host = false

[sandbox]
# What the hypervisor of this host has, and where it keeps its guests.
vcpus = 16
memory_mb = 32768
disk_gb = 500
guests_path = {home.data("guests", host)}

[vnc]
enabled = true
server_listen = {ADDRESSES[host]}
server_proxyclient_address = {ADDRESSES[host]}
novncproxy_base_url = http://127.0.0.1:6080/vnc_auto.html

{_clients(home)}"""


def compute_id(home: Home, host: str) -> str:
    """Text of ``/var/lib/nova/compute_id``: the identity of the compute node `host`, of this sandbox only."""
    return f"{uuid.uuid5(uuid.NAMESPACE_URL, f'{home.path.as_uri()}/{host}')}\n"


def _default(home: Home, host: str) -> str:
    root = home.host(host)
    return f"""\
host = {host}
my_ip = {ADDRESSES[host]}
transport_url = fake:///
log_dir = {home.log("nova", "nova", host).parent}
state_path = {root / "var" / "lib" / "nova"}
#debug = false"""


def _credentials(home: Home, user: str) -> str:
    return f"""\
auth_type = password
auth_url = {home.url("keystone", "/v3")}
project_name = service
project_domain_name = Default
username = {user}
user_domain_name = Default
password = {home.service_password}
region_name = RegionOne"""


def _clients(home: Home) -> str:
    """Sections on the services that nova calls, alike on every host."""
    return f"""\
[glance]
region_name = RegionOne
num_retries = 3

[neutron]
{_credentials(home, "neutron")}

[cinder]
os_region_name = RegionOne
{_credentials(home, "cinder").replace("region_name = RegionOne", "catalog_info = volumev3::publicURL")}

[placement]
{_credentials(home, "placement")}

[service_user]
send_service_user_token = true
{_credentials(home, "nova")}

[oslo_concurrency]
lock_path = $state_path/tmp

[oslo_policy]
policy_file = policy.yaml

[oslo_messaging_notifications]
driver = noop
"""
