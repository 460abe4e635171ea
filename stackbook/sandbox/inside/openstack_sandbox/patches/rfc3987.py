"""Hides the package ``rfc3987_syntax`` from jsonschema.

Why: jsonschema's format checker imports it when it is there, and building its grammar takes seconds at every start.
No OpenStack service checks the formats ``iri`` and ``iri-reference`` that it stands for.
"""

from __future__ import annotations

import sys


def apply() -> None:
    """Make ``import rfc3987_syntax`` fail; call before jsonschema is imported."""
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
