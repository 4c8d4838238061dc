"""Fixtures of tests that need real hypervisors.

``laboratory`` is three hosts, made once per test session. ``lab`` is the same with no guests and
everything repaired, for one test. Where the laboratory cannot be had, tests skip and say exactly
what is missing; where it is required (CI, or BALANCER_LAB=required) that is a failure.

No test may hang: each has a limit (watchdog.py), and the report of one that fails has its journal.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from balancer.service import recovery, turn

from .cluster import Laboratory
from .programs import lacking
from .requirements import missing, required
from .watchdog import LIMIT, journals, watched

HERE = Path(__file__).resolve().parent
NAME = os.environ.get("BALANCER_LAB_NAME", "lab-test")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder, so that ``-m 'not lab'`` leaves it out, and limit it.

    They come last. Where tests run on several cores (tests/conftest.py) the others then have nothing
    left to do, and the laboratory, which measures in real time, has the machine to itself.
    """
    items.sort(key=lambda item: HERE in item.path.parents)
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(LIMIT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have what hangs in libvirt let go once the limit is over."""
    limit = item.get_closest_marker("timeout")
    with watched(NAME, limit.args[0] if limit else LIMIT):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journals of a test that failed to its report."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and folder is not None:
        report.sections.extend(journals(folder))
    return report


@pytest.fixture(scope="session")
def programs() -> None:
    """Prometheus and its exporters, out of Debian's packages."""
    if lacks := lacking():
        sentence = "Prometheus cannot be had here: " + "; ".join(lacks)
        if required():
            pytest.fail(sentence)
        pytest.skip(sentence)


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """Three hosts for the whole session."""
    if lacks := missing():
        sentence = "the laboratory cannot run here: " + "; ".join(lacks)
        if required():
            pytest.fail(sentence)
        pytest.skip(sentence)
    with Laboratory(3, name=NAME) as up:
        yield up


@pytest.fixture
def lab(laboratory: Laboratory) -> Iterator[Laboratory]:
    """The laboratory with healthy hosts and no guests; left in that state, too."""
    if laboratory.used:  # whoever had it before could not clear it
        laboratory.clear()
    laboratory.used = True
    yield laboratory
    laboratory.clear()
    laboratory.used = False


@pytest.fixture(autouse=True)
def _no_dawdling(monkeypatch: pytest.MonkeyPatch) -> None:
    """What looks once a second looks more often: moves here take no longer than that."""
    for module in (turn, recovery):
        monkeypatch.setattr(module, "POLL", 0.1)
