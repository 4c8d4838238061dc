"""Balloons: told step by step, put back where they do not answer, given back under pressure."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from balancer.adapters.libvirt import balloon
from balancer.adapters.libvirt.balloon import Keeper, deflate, inflate, pressure
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.result import Result

TAKE = Resize(
    id="r1", guest="g", name="g", host="h", what=What.BALLOON, before=1024, after=512, step=256,
    keep=100,
)  # fmt: skip


class Domain:
    """A guest that follows its balloon, or not."""

    def __init__(self, *, deaf: bool = False, unused: int = 400, still: bool = False) -> None:
        self.deaf, self.unused, self.still = deaf, unused, still
        self.actual, self.told, self.looks = 1024, list[int](), 0

    def setMemoryFlags(self, kib: int, _: int) -> None:  # noqa: N802
        """Note it."""
        self.told.append(kib // 1024)
        self.actual = self.actual if self.deaf else kib // 1024

    def memoryStats(self) -> Mapping[str, int]:  # noqa: N802
        """Return what it says."""
        self.looks += not self.still
        return {
            "actual": self.actual * 1024, "unused": self.unused * 1024, "last_update": self.looks,
        }  # fmt: skip


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balloon, "ANSWERING", 0.0)
    monkeypatch.setattr(balloon, "POLL", 0.0)


def test_memory_is_taken_in_steps_and_given_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a look at fresh statistics between two steps."""
    domain = Domain()
    monkeypatch.setattr(balloon, "ANSWERING", 1.0)
    assert inflate(domain, TAKE) == ""
    assert domain.told == [768, 512]
    assert deflate(domain, TAKE) == ""


@pytest.mark.parametrize(
    ("domain", "why"),
    [
        (Domain(deaf=True), "its balloon does not answer: put back to 1024 MiB"),
        (Domain(still=True), "its statistics stand still: put back to 1024 MiB"),
    ],
)
def test_what_does_not_answer_is_put_back(domain: Domain, why: str) -> None:
    """And the reason said."""
    assert inflate(domain, TAKE) == why
    assert domain.told[-1] == 1024


def test_pressure_has_three_signs() -> None:
    """Too little unused, swapping in, and many major faults."""
    fine = {"unused": 60 << 10}
    assert pressure(fine, fine, 100) == ""
    assert "40 MiB unused of the 100" in pressure(fine, {"unused": 40 << 10}, 100)
    assert "30 MiB unused" in pressure(fine, {**fine, "usable": 30 << 10}, 100)
    assert pressure({**fine, "swap_in": 1}, {**fine, "swap_in": 2}, 100) == "the guest swaps"
    assert "201 major faults" in pressure(fine, {**fine, "major_fault": 201}, 100)


def test_who_wakes_is_given_all_back_and_that_is_told_once() -> None:
    """A keeper looks at what it was told to; what was given otherwise it forgets."""
    domain = Domain(unused=400)
    keeper = Keeper(lambda _: domain, lambda: 5.0)
    keeper._thread = object()  # type: ignore[assignment]  # looks are made by hand
    keeper.watch((TAKE, TAKE))
    one = keeper._watched["g"]
    keeper._look("g", one)
    assert keeper.given_back() == ()
    domain.unused = 20
    keeper._look("g", one)
    (given,) = keeper.given_back()
    assert (given.result, given.resize.before, given.resize.after) == (Result.DONE, 512, 1024)
    assert domain.told == [1024]
    assert keeper.given_back() == ()
    keeper.watch((TAKE,))
    keeper.watch((replace(TAKE, host="elsewhere", before=512, after=300),))
    known = keeper._watched["g"].taken
    assert (known.host, known.before, known.after) == ("elsewhere", 1024, 300)
    keeper.watch((replace(TAKE, what=What.PLUGGED, before=256, after=128),))
    known = keeper._watched["g"].taken  # by virtio-mem since it was booted anew: another measure
    assert (known.what, known.before) == (What.PLUGGED, 256)
    keeper.forget("g")
    assert keeper._watched == {}
    keeper.close()
