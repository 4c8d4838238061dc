"""Fixtures of tests that need real hypervisors.

``laboratory`` is three hosts, made once per test session. ``lab`` is the same with no guests and
everything repaired, for one test. Where the laboratory cannot be had, tests skip and say exactly
what is missing; where it is required (CI, or BALANCER_LAB=required) that is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.service import recovery, turn

from .cluster import Laboratory
from .requirements import missing, required

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that ``-m 'not lab'`` leaves it out.

    Where tests run on several cores they share one laboratory, so one core runs all of these; they
    come first, since nothing takes longer.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.xdist_group("lab"))
    items.sort(key=lambda item: HERE not in item.path.parents)


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """Three hosts for the whole session."""
    if lacks := missing():
        sentence = "the laboratory cannot run here: " + "; ".join(lacks)
        if required():
            pytest.fail(sentence)
        pytest.skip(sentence)
    with Laboratory(3, name=os.environ.get("BALANCER_LAB_NAME", "lab-test")) as up:
        yield up


@pytest.fixture
def lab(laboratory: Laboratory) -> Iterator[Laboratory]:
    """The laboratory with healthy hosts and no guests; left in that state, too."""
    laboratory.clear()
    yield laboratory
    laboratory.clear()


@pytest.fixture(autouse=True)
def _no_dawdling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks once a second looks more often: moves here take no longer than that."""
    for module in (turn, recovery):
        monkeypatch.setattr(module, "POLL", 0.1)
