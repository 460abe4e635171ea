"""A host's network configuration that outlives a restart: one model, and a renderer for each that reads it."""

from stackbook.interfaces.model import Bridge, Interface, Vlan

__all__ = ["Bridge", "Interface", "Vlan"]
