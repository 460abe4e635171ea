"""Troubleshooting: signatures, chains, faults."""
