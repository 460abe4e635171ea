"""Text of neutron.conf on the controller and on the compute hosts."""

from __future__ import annotations

from pathlib import Path

from openstack_sandbox.home import CONTROLLER, Home


def server_conf(home: Home, database: str) -> str:
    """``/etc/neutron/neutron.conf`` on the controller: neutron-server, and what all agents there share.

    `database` is the SQLAlchemy URL of neutron's database.
    """
    return f"""\
{_default(home, CONTROLLER)}
# The core plugin Neutron will use (string value)
core_plugin = ml2

# The service plugins Neutron will use (list value)
service_plugins = router,qos,trunk,segments,port_forwarding

# The type of authentication to use (string value)
auth_strategy = keystone

# Name of log file to send logging output to. (string value)
log_file = {home.log("neutron", "neutron-server")}

# Domain to use for building the hostnames (string value)
#dns_domain = openstacklocal

# The maximum number of items returned in a single response, value of
# 'infinite' or negative integer means no limit (string value)
#pagination_max_limit = -1

# MTU of the underlying physical network. Neutron uses this value to
# calculate MTU for all virtual network components. For flat and VLAN
# networks, neutron uses this value without modification. For overlay
# networks such as VXLAN, neutron automatically subtracts the overlay
# protocol overhead from this value. (integer value)
#global_physnet_mtu = 1500

# Send notification to nova when port status changes (boolean value)
notify_nova_on_port_status_changes = true

# Send notification to nova when port data (fixed_ips/floatingip) changes
# so nova can update its cache. (boolean value)
notify_nova_on_port_data_changes = true

# Number of seconds between sending events to nova if there are any events
# to send. (integer value)
send_events_interval = 1

# Seconds to regard the agent is down; should be at least twice
# report_interval, to be sure the agent is down for good. (integer value)
agent_down_time = 20

# Number of DHCP agents scheduled to host a tenant network. (integer value)
#dhcp_agents_per_network = 1

# Enable HA mode for virtual routers. (boolean value)
#l3_ha = false

# Threads and processes. This sandbox runs all of neutron in one process.
rpc_workers = 1
rpc_state_report_workers = 1
executor_thread_pool_size = 4
setproctitle = off
{_agent()}

[database]
# The SQLAlchemy connection string to use to connect to the database.
# (string value)
connection = {database}

[keystone_authtoken]
www_authenticate_uri = {home.url("keystone", "/v3")}
{_credentials(home, "neutron")}
service_token_roles = service
service_token_roles_required = true

# neutron-server tells nova-api about ports that went up or down.
[nova]
{_credentials(home, "nova")}

# neutron-server keeps the inventory of routed networks in placement.
[placement]
{_credentials(home, "placement")}

[oslo_concurrency]
# Directory to use for lock files. (string value)
lock_path = {_state(home, CONTROLLER) / "lock"}

[oslo_messaging_notifications]
driver = noop

[oslo_policy]
# Rules that differ from the defaults; read again when the file changes.
policy_file = policy.yaml

[quotas]
# Default number of resources allowed per project. A negative value means
# unlimited. (integer value)
#quota_network = 100
#quota_subnet = 100
#quota_port = 500
#quota_router = 10
#quota_floatingip = 50
#quota_security_group = 10
#quota_security_group_rule = 100
"""


def host_conf(home: Home, host: str) -> str:
    """``/etc/neutron/neutron.conf`` on the compute host `host`: what its agent needs."""
    return f"""\
{_default(home, host)}{_agent()}

[oslo_concurrency]
# Directory to use for lock files. (string value)
lock_path = {_state(home, host) / "lock"}
"""


def _default(home: Home, host: str) -> str:
    return f"""\
[DEFAULT]
# Where to store Neutron state files. This directory must be writable by
# the agent. (string value)
state_path = {_state(home, host)}

# Hostname to be used by the Neutron server, agents and services running on
# this machine. (host address value)
host = {host}

# If set to true, the logging level will be set to DEBUG instead of the
# default INFO level. (boolean value)
#debug = false

# The network address and optional user credentials for connecting to the
# messaging backend, in URL format. (string value)
transport_url = fake:///

# Seconds to wait for a response from a call. (integer value)
#rpc_response_timeout = 60
"""


def _agent() -> str:
    return """
[agent]
# Seconds between nodes reporting state to server; should be less than
# agent_down_time, best if it is half or less than agent_down_time.
# (floating point value)
report_interval = 5

# Log agent heartbeats (boolean value)
#log_agent_heartbeats = false

# Availability zone of this node (string value)
#availability_zone = nova

# Root helper application. (string value)
#root_helper = sudo"""


def _credentials(home: Home, user: str) -> str:
    return f"""\
auth_url = {home.url("keystone", "/v3")}
auth_type = password
project_domain_name = Default
user_domain_name = Default
project_name = service
username = {user}
password = {home.service_password}
region_name = RegionOne"""


def _state(home: Home, host: str) -> Path:
    return home.host(host) / "var" / "lib" / "neutron"
