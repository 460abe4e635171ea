"""The metadata agent: here it only reports, since no guest can reach it."""

from __future__ import annotations

from typing import Any

from neutron.conf.agent.metadata import config
from neutron_lib import constants
from oslo_config import cfg

from openstack_sandbox.neutron_agent import Agent


class MetadataAgent(Agent):
    """Stands in for ``neutron-metadata-agent``."""

    UNIT = constants.AGENT_PROCESS_METADATA
    TYPE = constants.AGENT_TYPE_METADATA
    TOPIC = "N/A"
    LOGGER = "neutron.agent.metadata.agent"
    FILES = ("metadata_agent.ini",)

    def options(self, conf: cfg.ConfigOpts) -> None:
        """Register what the agent's own files can hold."""
        config.register_meta_conf_opts(config.SHARED_OPTS, conf)
        config.register_meta_conf_opts(config.METADATA_PROXY_HANDLER_OPTS, conf)

    def configurations(self) -> dict[str, Any]:
        """What ``openstack network agent show`` lists."""
        return {
            "metadata_proxy_socket": self.conf.metadata_proxy_socket,
            "nova_metadata_host": self.conf.nova_metadata_host,
            "nova_metadata_port": self.conf.nova_metadata_port,
        }
