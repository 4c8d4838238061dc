"""Hosts as bars."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from balancer.planner.model.plan import HostLoad
from balancer.render.hosts import SHOWN, bar, hosts_change, hosts_now, meaning
from tests.render.screens import shown


def load(host: str, before: int, after: int) -> HostLoad:
    """A host of 10 cores and 100 MiB, so many per cent of which are used."""
    usable = {"cpu": 10_000, "memory": 100, "memory.used": 100}
    return HostLoad(
        host=host,
        usable=usable,
        before={"cpu": before * 100, "memory.used": before, "memory": before},
        after={"cpu": after * 100, "memory.used": after, "memory": before},
    )


LOADS = (load("kvm01", 96, 71), load("kvm02", 10, 35), load("rather-long-host-name-17", 0, 0))


NOW = """\
                    CPU                 memory              allocated
kvm01           hot ███████████  96 %   ███████████  96 %   ███████████  96 %
kvm02               █░░░░░░░░░░  10 %   █░░░░░░░░░░  10 %   █░░░░░░░░░░  10 %
rather-…name-17     ░░░░░░░░░░░   0 %   ░░░░░░░░░░░   0 %   ░░░░░░░░░░░   0 %"""
CHANGE = """\
          CPU                 memory              allocated
kvm01 hot ██████▒▒  96→71 %   ██████▒▒  96→71 %   ████████  96 %
kvm02     █▓▓░░░░░  10→35 %   █▓▓░░░░░  10→35 %   █░░░░░░░  10 %
█ stays  ▒ leaves  ▓ arrives"""


def test_hosts_as_they_are() -> None:
    """One line a host, one bar a resource, the hot one marked without need of colour."""
    assert shown(hosts_now(LOADS, ["kvm01"])) == NOW


def test_hosts_as_they_will_be() -> None:
    """What leaves and what arrives is seen in the bar and in figures."""
    assert shown(hosts_change(LOADS[:2], ["kvm01"])) == CHANGE


@pytest.mark.parametrize("draw", [hosts_now, hosts_change])
def test_the_widest_hosts_fit_a_narrow_terminal(draw: Callable[..., Text]) -> None:
    """Long names and three-digit figures fit 80 cells."""
    full = [*LOADS, load("x", 100, 100), load("y", 180, 120)]
    assert max(map(len, draw(full, ["x"]).plain.splitlines())) <= 80


def test_of_many_hosts_those_that_matter_are_shown() -> None:
    """A large cluster shows hot and changed hosts, and counts the others."""
    quiet = [load(f"h{i}", 20, 20) for i in range(SHOWN)]
    lines = shown(hosts_change([*quiet, load("x", 90, 90), load("y", 5, 9)], ["x"])).splitlines()
    assert [line[:1] for line in lines[1:3]] == ["x", "y"]
    assert lines[3] == "and 24 hosts more, not hot, unchanged"


@given(
    st.floats(0, 2),
    st.floats(0, 2),
    st.integers(1, 40),
)
def test_a_bar_has_its_width(before: float, after: float, width: int) -> None:
    """Overload neither breaks the line nor hides; anything above nothing is seen."""
    drawn = bar(before, after, width).plain
    assert len(drawn) == width
    assert (drawn.strip("░") != "") == (max(before, after) > 0)


def test_memory_says_what_it_means() -> None:
    """Which memory the bars show, and of how many guests; the most frequent first."""
    told = meaning({"allocation": 2, "rss": 1200}).plain
    assert told.startswith("memory, by guests: resident on the host (1,200), what it is allocated")
    assert told.endswith("(2)")
