"""Text of the configuration files of the l3, dhcp and metadata agents, as a fresh installation has them."""

from __future__ import annotations


def l3_agent() -> str:
    """``/etc/neutron/l3_agent.ini``."""
    return """\
[DEFAULT]

# The working mode for the agent. Allowed modes are: 'legacy' - this
# preserves the existing behavior where the L3 agent is deployed on a
# centralized networking node to provide L3 services like DNAT, and
# SNAT. (string value)
# Possible values:
# dvr - <No description provided>
# dvr_snat - <No description provided>
# legacy - <No description provided>
# dvr_no_external - <No description provided>
#agent_mode = legacy

# The driver used to manage the virtual interface. (string value)
interface_driver = openvswitch

# TCP Port used by Neutron metadata namespace proxy. (port value)
#metadata_port = 9697

# Seconds between running periodic tasks. (integer value)
#periodic_interval = 40


[agent]

# Extensions list to use (list value)
#extensions =
extensions = port_forwarding
"""


def dhcp_agent() -> str:
    """``/etc/neutron/dhcp_agent.ini``."""
    return """\
[DEFAULT]

# The driver used to manage the virtual interface. (string value)
interface_driver = openvswitch

# The DHCP agent will resync its state with Neutron to recover from
# any transient notification or RPC errors. The interval is the
# maximum number of seconds between attempts. (integer value)
#resync_interval = 5

# The driver used to manage the DHCP server. (string value)
#dhcp_driver = neutron.agent.linux.dhcp.Dnsmasq

# The DHCP server can assist with providing metadata support on
# isolated networks. Setting this value to True will cause the DHCP
# server to append specific host routes to the DHCP request. (boolean
# value)
#enable_isolated_metadata = false
enable_isolated_metadata = true

# In some cases the Neutron router is not present to provide the
# metadata IP but the DHCP server can be used to provide this info.
# (boolean value)
#force_metadata = false

# Comma-separated list of the DNS servers which will be used as
# forwarders. (list value)
#dnsmasq_dns_servers =
"""


def metadata_agent(secret: str) -> str:
    """``/etc/neutron/metadata_agent.ini``; `secret` is shared with nova."""
    return f"""\
[DEFAULT]

# IP address or DNS name of Nova metadata server. (host address value)
#nova_metadata_host = 127.0.0.1

# TCP Port used by Nova metadata server. (port value)
#nova_metadata_port = 8775

# When proxying metadata requests, Neutron signs the Instance-ID
# header with a shared secret to prevent spoofing. You may select any
# string for a secret, but it must match here and in the configuration
# used by the Nova metadata server. NOTE: Nova uses the same config
# key, but in [neutron] section. (string value)
metadata_proxy_shared_secret = {secret}

# Number of separate worker processes for metadata server (defaults to
# half of the number of CPUs) (integer value)
#metadata_workers = <num_of_cpus> / 2
"""
