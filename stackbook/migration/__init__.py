"""Readers of virtual machines as files (OVA, OVF, VMX, VMDK, qcow2, raw, VHDX) and streams out of them.

Pure reading: nothing here talks to a cloud, starts a process or writes a file.
"""

from __future__ import annotations

from stackbook.errors import BundleRefused
from stackbook.migration.bundle import Bundle, BundleDisk, inspect

__all__ = ["Bundle", "BundleDisk", "BundleRefused", "inspect"]
