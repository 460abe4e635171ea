"""Persistent network configuration: rendered, and read by the programs that read it on hosts."""
