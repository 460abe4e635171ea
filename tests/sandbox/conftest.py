"""Fixtures of the sandbox's own tests."""

from fake_services import fake, fake_cache

__all__ = ["fake", "fake_cache"]
