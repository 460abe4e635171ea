"""Tests on a real host, a Debian guest in QEMU: ``make test-host``."""
