"""The smoke test of the sandbox: the pinned services work together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox import smoke_cloud, smoke_steps


@pytest.fixture(scope="module", autouse=True)
def clean(cloud: smoke_cloud.Cloud) -> Iterator[None]:
    """Steps start without leftovers of an earlier run, and leave none."""
    smoke_cloud.clean(cloud)
    yield
    smoke_cloud.clean(cloud)


@pytest.mark.parametrize("step", smoke_steps.STEPS, ids=lambda step: step.__name__)
def test_step(step: smoke_steps.Step, cloud: smoke_cloud.Cloud) -> None:
    """Each step does what its first line says; the steps build on each other."""
    step(cloud)
