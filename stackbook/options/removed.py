"""Options that older releases read and that are gone without a name that takes their place: those still met in files."""

from __future__ import annotations

REMOVED: dict[str, dict[tuple[str, str], str]] = {
    "neutron": {
        (
            "DEFAULT",
            "external_network_bridge",
        ): "map the physical network in bridge_mappings: external networks are provider networks",
        ("DEFAULT", "gateway_external_network_id"): "an agent serves all external networks",
        ("DEFAULT", "allow_overlapping_ips"): "addresses may always overlap",
        ("DEFAULT", "advertise_mtu"): "the MTU is always told to guests",
        ("DEFAULT", "router_delete_namespaces"): "namespaces are always deleted",
        ("DEFAULT", "dhcp_delete_namespaces"): "namespaces are always deleted",
        ("DEFAULT", "use_namespaces"): "namespaces are always used",
        ("DEFAULT", "min_l3_agents_per_router"): "it has no effect any more",
        ("ovs", "enable_tunneling"): "set [agent] tunnel_types",
        ("ovs", "tenant_network_type"): "set [ml2] tenant_network_types",
        ("ovs", "network_vlan_ranges"): "set [ml2_type_vlan] network_vlan_ranges for neutron-server",
        ("ovs", "use_veth_interconnection"): "patch ports are always used",
        ("ovs", "of_interface"): "the native interface is always used",
        ("ovs", "ovsdb_interface"): "the native interface is always used",
        ("agent", "prevent_arp_spoofing"): "it is always prevented, except on ports without port security",
        ("agent", "enable_distributed_routing_arp"): "it has no effect any more",
    },
    "nova": {
        ("DEFAULT", "use_neutron"): "neutron is always used",
        ("DEFAULT", "network_api_class"): "neutron is always used",
        ("DEFAULT", "security_group_api"): "neutron is always used",
        ("DEFAULT", "firewall_driver"): "neutron's firewall is always used",
        ("DEFAULT", "network_manager"): "neutron is always used",
        ("DEFAULT", "linuxnet_interface_driver"): "neutron's agents plug interfaces",
        ("DEFAULT", "auth_strategy"): "keystone is always used",
        ("DEFAULT", "scheduler_default_filters"): "set [filter_scheduler] enabled_filters",
        ("DEFAULT", "scheduler_driver"): "the filter scheduler is always used",
        ("DEFAULT", "enabled_ssl_apis"): "let the web server before the API do TLS",
        ("neutron", "url"): "the catalogue tells it; [neutron] endpoint_override sets another",
        ("neutron", "admin_username"): "set [neutron] username and auth_type",
        ("neutron", "admin_password"): "set [neutron] password and auth_type",
        ("neutron", "admin_auth_url"): "set [neutron] auth_url and auth_type",
        ("placement", "os_region_name"): "set [placement] region_name",
    },
    "cinder": {
        ("DEFAULT", "enable_v1_api"): "only version 3 is left",
        ("DEFAULT", "enable_v2_api"): "only version 3 is left",
        ("DEFAULT", "enable_v3_api"): "version 3 is always on",
        ("DEFAULT", "iscsi_helper"): "set target_helper in the backend's section",
        ("DEFAULT", "iscsi_ip_address"): "set target_ip_address in the backend's section",
    },
    "glance": {
        ("DEFAULT", "enable_v1_api"): "only version 2 is left",
        ("DEFAULT", "enable_v2_api"): "version 2 is always on",
        ("DEFAULT", "enable_v1_registry"): "there is no registry any more",
        ("DEFAULT", "registry_host"): "there is no registry any more",
        ("DEFAULT", "registry_port"): "there is no registry any more",
        ("DEFAULT", "data_api"): "there is no registry any more",
    },
    "keystone": {
        ("paste_deploy", "config_file"): "the pipeline is part of keystone",
    },
}
EVERYWHERE = {
    ("DEFAULT", "verbose"): "set debug, or a level for a logger in default_log_levels",
    ("DEFAULT", "rpc_backend"): "the scheme of transport_url tells it",
    ("DEFAULT", "rabbit_host"): "set transport_url",
    ("DEFAULT", "rabbit_password"): "set transport_url",
    ("DEFAULT", "rabbit_userid"): "set transport_url",
    ("DEFAULT", "use_syslog_rfc_format"): "it is always used",
    ("keystone_authtoken", "auth_host"): "set www_authenticate_uri and auth_url",
    ("keystone_authtoken", "auth_port"): "set www_authenticate_uri and auth_url",
    ("keystone_authtoken", "auth_protocol"): "set www_authenticate_uri and auth_url",
    ("keystone_authtoken", "identity_uri"): "set auth_url",
    ("keystone_authtoken", "admin_user"): "set username and auth_type",
    ("keystone_authtoken", "admin_password"): "set password and auth_type",
    ("keystone_authtoken", "admin_tenant_name"): "set project_name and auth_type",
    ("keystone_authtoken", "signing_dir"): "PKI tokens are gone",
    ("keystone_authtoken", "check_revocations_for_cached"): "PKI tokens are gone",
    ("keystone_authtoken", "hash_algorithms"): "PKI tokens are gone",
    ("oslo_messaging_rabbit", "rabbit_host"): "set transport_url",
    ("oslo_messaging_rabbit", "rabbit_hosts"): "set transport_url",
    ("oslo_messaging_rabbit", "rabbit_userid"): "set transport_url",
    ("oslo_messaging_rabbit", "rabbit_password"): "set transport_url",
    ("database", "idle_timeout"): "set connection_recycle_time",
    ("database", "min_pool_size"): "connections are made as they are needed",
}
"""Of the libraries that all services share."""


def instead(project: str, section: str, option: str) -> str | None:
    """What stands in the place of a removed option; None for one that is not known to have been removed."""
    return {**EVERYWHERE, **REMOVED.get(project, {})}.get((section, option))
