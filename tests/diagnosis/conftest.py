"""Fixtures for diagnoses."""

from __future__ import annotations

from pathlib import Path

import pytest

from .made_up import Logs


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    """Three hosts without a line."""
    return Logs(tmp_path)
