"""The refusal of a bundle: what is wrong with it, where, and what to do."""

from __future__ import annotations

from stackbook.errors import Refused


class BundleRefused(Refused):
    """A bundle that is broken, hostile or of a kind that can't be moved; nothing but our own readers has seen it."""
