"""How properties are searched everywhere, and how tests are shared out between cores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadScopeScheduling

# Modestly, and the same way each time.
settings.register_profile(
    "suite",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("suite")

SOAKING = 7200
"""Seconds that a soak may take where it says no other limit: some take minutes on a free machine."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give soaks the time they need; the laboratory has given its own theirs by now."""
    for item in items:
        if item.get_closest_marker("soak") and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SOAKING))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Share out whole files, in their order, and all of tests/lab to one core: there is one lab."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # only where `-n` is asked for

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/lab" if nodeid.startswith("tests/lab/") else nodeid.split("::", 1)[0]

    config.option.loadscopereorder = False
    return ByFile(config, log)
