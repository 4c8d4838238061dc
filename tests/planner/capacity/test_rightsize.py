"""Sizes from what was wanted: percentile, margin, and what later days say of them."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.capacity.rightsize import (
    PER_DAY,
    STEP_MIB,
    Sized,
    Wish,
    freed,
    rightsize,
)
from balancer.planner.model.rollups import STEP, Block, Rollups
from tests.drawing import draw, uuid_of
from tests.past import as_cells

ONE = "a 64c/256g : x 8v/16g"
DAYS = 10


def past(**rows: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Rollups:
    """What was measured of x, by metric (`_` for a point)."""
    columns = len(next(iter(rows.values())))
    blocks = {
        name.replace("_", "."): Block.of([uuid_of("x")], as_cells(row.reshape(1, -1)))
        for name, row in rows.items()
    }
    return Rollups(STEP * 1000, columns, blocks)


def flat(amount: float, days: float = DAYS) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.full(round(days * PER_DAY), amount)


def one(rollups: Rollups, wish: Wish | None = None, text: str = ONE) -> Sized:
    (found,) = rightsize(draw(text), rollups, wish or Wish())
    return found


def test_an_idle_guest_is_cut_to_what_it_wants_and_a_fifth() -> None:
    """2.5 cores and 20 % are 3 vCPUs; 3000 MiB of 16 GiB and 20 % are 3840 MiB."""
    found = one(past(cpu=flat(2500), memory_unused=flat(16384 - 3000)))
    assert found.vcpus is not None
    assert found.memory is not None
    assert (found.vcpus.now, found.vcpus.set, found.vcpus.wanted) == (8, 3, 2.5)
    assert (found.memory.now, found.memory.set) == (16384, 3840)
    assert (found.vcpus.over, found.vcpus.tested, found.vcpus.days) == (0, 0, DAYS)
    assert found.far
    assert freed((found,)) == (5, 16384 - 3840)


def test_who_waited_wanted_more_than_it_used() -> None:
    """A guest at its limit that is kept waiting besides is to grow, by both."""
    found = one(past(cpu=flat(8000), cpu_delay=flat(1000), memory_rss=flat(16000)))
    assert found.vcpus is not None
    assert (found.vcpus.set, found.vcpus.wanted) == (11, 9.0)
    assert freed((found,))[0] == -3


def test_what_is_near_is_left() -> None:
    """6.5 of 8 and 20 % are 8; and what stays is tested as it stands."""
    found = one(past(cpu=flat(6500), memory_rss=flat(12000)))
    assert not found.far
    assert found.vcpus is not None
    assert found.vcpus.set == found.vcpus.now == 8


def test_the_risk_is_asked_of_days_the_size_was_not_made_from() -> None:
    """Five calm days and five busy ones: made from all, it suffices; made before, it would not have."""
    busy = np.concatenate([flat(500, 5), flat(3000, 5)])
    found = one(past(cpu=busy, memory_rss=flat(4000)))
    assert found.vcpus is not None
    assert (found.vcpus.set, found.vcpus.over) == (4, 0)
    assert found.vcpus.tested == pytest.approx(1 / 3, abs=0.01)


@pytest.mark.parametrize(
    ("rows", "word", "size"),
    [
        ({"memory_unused": 10_000, "memory_rss": 15_000}, "the guest itself counts", 7680),
        ({"memory_rss": 4000, "memory_balloon": 16_384}, "resident on the host", 4864),
        ({"memory_unused": 10_000, "memory_balloon": 12_000}, "the guest itself counts", 2560),
    ],
)
def test_it_says_which_memory_was_meant(rows: Mapping[str, float], word: str, size: int) -> None:
    """The guest's own count first, less what the balloon took; resident memory else."""
    found = one(past(cpu=flat(1000), **{name: flat(mib) for name, mib in rows.items()}))
    assert found.memory is not None
    assert word in found.memory.basis
    assert found.memory.set == size


def test_from_a_balloon_nothing_is_proposed() -> None:
    """What is left to a guest says nothing of what it needs."""
    found = one(past(cpu=flat(1000), memory_balloon=flat(8000)))
    assert found.memory is None
    assert "not what it needs" in found.unknown[0]
    assert freed((found,))[1] == 0


def test_too_little_history_is_said() -> None:
    """Six days are not seven; and where nothing was measured there are none."""
    found = one(past(cpu=flat(1000, 6)))
    assert (found.vcpus, found.memory) == (None, None)
    assert found.unknown == (
        "vcpus: 6.0 days are known, 7 are needed",
        "memory: 0.0 days are known, 7 are needed",
    )
    assert not found.far


def test_a_meaning_that_is_known_seldom_is_not_taken() -> None:
    """A guest whose agent answered for an hour is taken by its resident memory."""
    seldom = flat(np.nan)
    seldom[:12] = 16_000
    found = one(past(cpu=flat(1000), memory_unused=seldom, memory_rss=flat(4000)))
    assert found.memory is not None
    assert "resident" in found.memory.basis


def test_what_to_know_before_it_is_set() -> None:
    """Huge pages change with memory; who lacks memory cannot show how much more it wants."""
    paged = one(past(cpu=flat(1000), memory_rss=flat(2000)), text=ONE + " pages=2048")
    assert "huge pages" in paged.notes[0]
    rows = {"memory_unused": flat(100), "memory_cache": flat(500)}
    grown = one(past(cpu=flat(1000), **rows), Wish(least_change=0.1))
    assert "cannot show" in grown.notes[0]


def test_a_full_cache_is_no_want() -> None:
    """Guests fill all they have with their page cache: only what is not cached asks for more."""
    full = one(past(cpu=flat(1000), memory_rss=flat(16_384)))
    assert full.memory is not None
    assert full.memory.set == full.memory.now
    cached = one(past(cpu=flat(1000), memory_unused=flat(100), memory_cache=flat(9000)))
    assert cached.memory is not None
    assert cached.memory.set == cached.memory.now
    tight = one(past(cpu=flat(1000), memory_unused=flat(100), memory_cache=flat(500)))
    assert tight.memory is not None
    assert tight.memory.set == 18_944
    assert "without its page cache" in tight.memory.basis


@given(
    st.lists(st.integers(0, 8000), min_size=40, max_size=400),
    st.sampled_from([0.5, 0.9, 0.99, 1.0]),
    st.sampled_from([0.0, 0.2, 1.0]),
)
def test_a_size_is_the_least_that_covers_the_share(
    wanted: list[int], percentile: float, margin: float
) -> None:
    """Never over more than the share left out; and one step less would be, without a margin."""
    row = np.array(wanted, dtype=float)
    wish = Wish(percentile=percentile, margin=margin, least_change=0.0, least_days=0.1)
    found = one(past(cpu=row, memory_rss=row), wish)
    for side, unit, step in ((found.vcpus, 1000, 1), (found.memory, 1, STEP_MIB)):
        assert side is not None
        if unit == 1 and max(wanted) * (1 + margin) > 16_384:
            continue  # memory that is cached never asks for more
        assert np.mean(row > side.set * unit) <= 1 - percentile + 1e-9
        assert side.over == pytest.approx(np.mean(row > side.set * unit), abs=1e-4)
        assert side.set % step == 0
        if margin == 0 and side.set > step:
            assert np.mean(row > (side.set - step) * unit) > 1 - percentile - 1e-9


def test_what_can_be_given_while_it_runs_is_noted() -> None:
    """vCPUs and memory of one that is to grow; nothing of one whose XML allows no more."""
    hungry = past(cpu=flat(8000), memory_unused=flat(10), memory_cache=flat(0))
    able = one(hungry, text="a 64c/256g : x 8v/16g most-vcpus=12 plugged=2g most-plugged=8g")
    assert able.notes[:2] == (
        "up to 12 vCPUs can be plugged while it runs",
        "6144 MiB more can be plugged while it runs",
    )
    full = one(hungry, text="a 64c/256g : x 8v/16g most-vcpus=8 plugged=8g most-plugged=8g")
    assert not any("plugged" in note for note in full.notes)
    idle = past(cpu=flat(1000), memory_unused=flat(16384 - 3000))
    calm = one(idle, text="a 64c/256g : x 8v/16g most-vcpus=12 most-plugged=8g")
    assert calm.notes == ()
