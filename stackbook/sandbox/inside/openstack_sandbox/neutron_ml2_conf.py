"""Text of ml2_conf.ini and of the L2 agent's openvswitch_agent.ini, as a fresh installation has them."""

from __future__ import annotations


def ml2_conf() -> str:
    """``/etc/neutron/plugins/ml2/ml2_conf.ini``: VXLAN for tenants, flat for providers, no VLANs yet."""
    return """\
[DEFAULT]


[ml2]

#
# From neutron.ml2
#

# List of network type driver entrypoints to be loaded from the
# neutron.ml2.type_drivers namespace. (list value)
#type_drivers = local,flat,vlan,gre,vxlan,geneve
type_drivers = vxlan,flat

# Ordered list of network_types to allocate as tenant networks. The
# default value 'local' is useful for single-box testing but provides
# no connectivity between hosts. (list value)
#tenant_network_types = local
tenant_network_types = vxlan

# An ordered list of networking mechanism driver entrypoints to be
# loaded from the neutron.ml2.mechanism_drivers namespace. (list value)
#mechanism_drivers =
mechanism_drivers = openvswitch

# An ordered list of extension driver entrypoints to be loaded from the
# neutron.ml2.extension_drivers namespace. For example:
# extension_drivers = port_security,qos (list value)
#extension_drivers =
extension_drivers = port_security,dns,qos

# Maximum size of an IP packet (MTU) that can traverse the underlying
# physical network infrastructure without fragmentation when using an
# overlay/tunnel protocol. This option allows specifying a physical
# network MTU value that differs from the default global_physnet_mtu
# value. (integer value)
# Minimum value: 0
#path_mtu = 0

# Mappings of physical networks to MTU values. The format of the
# mapping is <physnet>:<mtu val>. This mapping allows specifying a
# physical network MTU value that differs from the default
# global_physnet_mtu value. (dict value)
#physical_network_mtus =

# Default network type for external networks when no provider
# attributes are specified. By default it is None, which means that if
# provider attributes are not specified while creating external
# networks then they will have the same type as tenant networks.
# Allowed values for external_network_type config option depend on the
# network type values configured in type_drivers config option.
# (string value)
#external_network_type = <None>

# IP version of all overlay (tunnel) network endpoints. (integer value)
# Possible values:
# 4 - IPv4
# 6 - IPv6
#overlay_ip_version = 4


[ml2_type_flat]

#
# From neutron.ml2
#

# List of physical_network names with which flat networks can be
# created. Use default '*' to allow flat networks with arbitrary
# physical_network names. Use an empty list to disable flat networks.
# (list value)
#flat_networks = *
flat_networks = *


[ml2_type_geneve]

#
# From neutron.ml2
#

# Comma-separated list of <vni_min>:<vni_max> tuples enumerating
# ranges of Geneve VNI IDs that are available for tenant network
# allocation. Note OVN does not use the actual values. (list value)
#vni_ranges =


[ml2_type_gre]

#
# From neutron.ml2
#

# Comma-separated list of <tun_min>:<tun_max> tuples enumerating
# ranges of GRE tunnel IDs that are available for tenant network
# allocation (list value)
#tunnel_id_ranges =


[ml2_type_vlan]

#
# From neutron.ml2
#

# List of <physical_network>:<vlan_min>:<vlan_max> or
# <physical_network> specifying physical_network names usable for VLAN
# provider and tenant networks, as well as ranges of VLAN tags on each
# available for allocation to tenant networks. If no range is defined,
# the whole valid VLAN ID set [1, 4094] will be assigned. (list value)
#network_vlan_ranges =


[ml2_type_vxlan]

#
# From neutron.ml2
#

# Comma-separated list of <vni_min>:<vni_max> tuples enumerating
# ranges of VXLAN VNI IDs that are available for tenant network
# allocation (list value)
#vni_ranges =
vni_ranges = 10:1000

# Multicast group for VXLAN. When configured, will enable sending all
# broadcast traffic to this multicast group. When left unconfigured,
# will disable multicast VXLAN mode. (string value)
#vxlan_group = <None>


[securitygroup]

#
# From neutron.ml2
#

# Driver for security groups firewall in the L2 agent (string value)
#firewall_driver = <None>

# Controls whether the neutron security group API is enabled in the
# server. It should be false when using no security groups or using
# the nova security group API. (boolean value)
#enable_security_group = true
enable_security_group = true

# Use IPsets to speed-up the iptables based security groups. Enabling
# IPset support requires that ipset is installed on L2 agent node.
# (boolean value)
#enable_ipset = true
"""


def openvswitch_agent(local_ip: str) -> str:
    """``/etc/neutron/plugins/ml2/openvswitch_agent.ini``: VXLAN from `local_ip`, no bridge mapped yet."""
    return f"""\
[DEFAULT]


[agent]

#
# From neutron.ml2.ovs.agent
#

# The number of seconds to wait between local checks of the bridges.
# (integer value)
#polling_interval = 2

# Minimize polling by monitoring OVSDB for interface changes. (boolean
# value)
#minimize_polling = true

# Network types supported by the agent (gre, vxlan and/or geneve).
# (list value)
#tunnel_types =
tunnel_types = vxlan

# The UDP port to use for VXLAN tunnels. (port value)
# Minimum value: 0
# Maximum value: 65535
#vxlan_udp_port = 4789

# Use ML2 l2population mechanism driver to learn remote MAC and IPs
# and improve tunnel scalability. (boolean value)
#l2_population = false

# Enable local ARP responder if it is supported. Requires OVS 2.1 and
# ML2 l2population driver. (boolean value)
#arp_responder = false

# Make the l2 agent run in DVR mode. (boolean value)
#enable_distributed_routing = false

# Reset flow table on start. Setting this to True will cause brief
# traffic interruption. (boolean value)
#drop_flows_on_start = false

# Extensions list to use (list value)
#extensions =


[ovs]

#
# From neutron.ml2.ovs.agent
#

# Integration bridge to use. Do not change this parameter unless you
# have a good reason to. This is the name of the OVS integration
# bridge. There is one per hypervisor. The integration bridge acts as
# a virtual 'patch bay'. All VM VIFs are attached to this bridge and
# then 'patched' according to their network connectivity. (string
# value)
#integration_bridge = br-int

# Tunnel bridge to use. (string value)
#tunnel_bridge = br-tun

# IP address of local overlay (tunnel) network endpoint. Use either an
# IPv4 or IPv6 address that resides on one of the host network
# interfaces. The IP version of this value must match the value of the
# 'overlay_ip_version' option in the ML2 plug-in configuration file on
# the neutron server node(s). (IP address value)
#local_ip = <None>
local_ip = {local_ip}

# Comma-separated list of <physical_network>:<bridge> tuples mapping
# physical network names to the agent's node-specific Open vSwitch
# bridge names to be used for flat and VLAN networks. The length of
# bridge names should be no more than 11. Each bridge must exist, and
# should have a physical network interface configured as a port. All
# physical networks configured on the server should have mappings to
# appropriate bridges on each agent. Note: If you remove a bridge from
# this mapping, make sure to disconnect it from the integration bridge
# as it won't be managed by the agent anymore. (list value)
#bridge_mappings =

# OVS datapath to use. (string value)
# Possible values:
# system - Kernel datapath
# netdev - Userspace datapath
#datapath_type = system


[securitygroup]

#
# From neutron.ml2.ovs.agent
#

# Driver for security groups firewall in the L2 agent (string value)
#firewall_driver = <None>
firewall_driver = openvswitch

# Controls whether the neutron security group API is enabled in the
# server. It should be false when using no security groups or using
# the nova security group API. (boolean value)
#enable_security_group = true
"""
