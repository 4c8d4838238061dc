"""Thresholds are chosen on one part of the past and told by another, and nothing is made up."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from balancer.cli import run
from balancer.config import default_policy, load_policy
from balancer.ports import UsageError
from balancer.simulator.counting.counted import Counted
from balancer.simulator.replaying.traces import Shape, Trace, track
from balancer.simulator.spreading import Workers
from balancer.simulator.tuning.levers import LEVERS, Change, changed, lines, singles
from balancer.simulator.tuning.search import Finding, combined, search
from balancer.simulator.tuning.trial import DAY, Ground, Part, Trial

WARM = Change("hot", "cpu_used", "75%")
EAGER = Change("", "aggressiveness", 4)
START = 1_750_032_000


def trial(
    total: float, *changes: Change, days: tuple[float, ...] = (), broken: float = 0
) -> Trial:
    """Return what a candidate came to: nothing but waiting."""
    counted = Counted(contention=total, rules_broken=broken)
    return Trial(candidate=changes, part=Part.HELD_OUT, counted=counted, moving=0, days=days)


def finding(first: float, rest: float, days: tuple[float, ...]) -> Finding:
    """Return one candidate against a present policy that costs 100 on either part, 50 a day."""
    return Finding(
        present=(trial(100), trial(100, days=(50, 50))),
        others=((trial(first, WARM), trial(rest, WARM, days=days)),),
        tried=1,
    )


def test_a_candidate_is_the_policy_with_its_lines_on_top(tmp_path: Path) -> None:
    """What is printed is what was tried, read as a policy file is."""
    text = lines((WARM, EAGER, Change("hot", "lasting", "5min")))
    assert text == 'aggressiveness = 4\n\n[hot]\ncpu_used = "75%"\nlasting = "5min"\n'
    (tmp_path / "balance.toml").write_text(f'extends = "balance"\n{text}')
    made = changed(default_policy(), (WARM, EAGER, Change("hot", "lasting", "5min")))
    read = load_policy(tmp_path / "balance.toml")
    assert replace(made, digest="") == replace(read, digest="")
    assert (made.aggressiveness, made.hot.cpu_used, made.hot.lasting) == (4, 0.75, 300)


def test_every_value_that_is_tried_is_one_a_policy_may_have() -> None:
    """And what the policy says already is not tried again."""
    for lever in LEVERS:
        for change in lever.changes:
            changed(default_policy(), (change,))
    words = {one.words for (one,) in singles(default_policy())}
    assert 'hot.cpu_used = "85%"' not in words
    assert "aggressiveness = 2" not in words
    assert len(words) == sum(len(lever.values) - 1 for lever in LEVERS)
    with pytest.raises(UsageError, match=r"did you mean hot.cpu_used"):
        singles(default_policy(), ["hot.cpu"])


@pytest.mark.parametrize(
    ("first", "rest", "days", "proposed"),
    [
        (50, 60, (20, 40), True),
        (50, 97, (48, 49), False),  # too little on the days held out
        (50, 130, (90, 40), False),  # it does not last
        (50, 60, (0, 60), False),  # on as many days worse as better
        (97, 50, (25, 25), False),  # it was not the better one where it was to be chosen
    ],
)
def test_only_what_lasts_is_proposed(
    first: float, rest: float, days: tuple[float, ...], *, proposed: bool
) -> None:
    """On days that had no say in the choice, clearly, and on most of them."""
    assert (finding(first, rest, days).proposed == (WARM,)) is proposed


def test_a_saving_by_broken_rules_is_none() -> None:
    """Whatever it saves."""
    found = finding(50, 60, (20, 40))
    broken = ((trial(50, WARM, broken=1), found.others[0][1]),)
    assert replace(found, others=broken).proposed is None


def test_what_helps_alone_is_tried_together() -> None:
    """The best value of each setting, best settings first; what does not help is left out."""
    cooler = Change("hot", "cpu_used", "70%")
    within = Change("balance", "within", "3%")
    alone = [trial(80, WARM), trial(70, cooler), trial(60, EAGER), trial(99, within)]
    assert combined(alone, trial(100)) == ((EAGER, cooler),)
    assert combined(alone[:1], trial(100)) == ()


def ground(days: int = 2) -> Ground:
    """Return a past of hosts that are busy by day beyond what guests get, below what is hot."""
    steps = np.arange(int(days * DAY) // 300)
    day = (steps // 144) % 2
    cpu = np.stack([np.where(day, 3950 if g < 2 else 1800, 500) for g in range(4)], axis=1)
    cpu += np.arange(4) + steps[:, None] % 7
    trace = Trace(
        start=START,
        names=tuple(f"vm-{g}" for g in range(4)),
        vcpus=(4,) * 4,
        memory=(4096, 4095, 4096, 4095),
        cpu=cpu.astype(np.int32),
    )
    whole = track(trace, Shape(hosts=3, cores=7, memory_mib=16_384), 3600)
    together = {g.uuid: "h001" if g.name in {"vm-0", "vm-1"} else "h002" for g in whole.cluster.guests}  # fmt: skip
    whole = replace(whole, cluster=replace(whole.cluster, placement=together))
    middle = START + 0.5 * days * DAY
    return Ground(
        policy=changed(default_policy(), (Change("", "aggressiveness", 1),)),
        tracks={
            Part.CHOSEN_ON: replace(whole, looks=tuple(x for x in whole.looks if x < middle)),
            Part.HELD_OUT: replace(whole, looks=tuple(x for x in whole.looks if x >= middle)),
        },
        interval=3600,
    )


@contextmanager
def quiet(_: str, __: int) -> Iterator[Callable[[], None]]:
    """Show nothing."""
    yield lambda: None


@pytest.fixture(scope="module")
def found() -> Finding:
    """Return what is found for a policy that relieves nobody."""
    return search(ground(), Workers(), quiet, ["aggressiveness"])


def test_a_policy_that_lets_guests_wait_is_bettered(found: Finding) -> None:
    """By one that relieves hosts; the figures are those of the days held out."""
    assert found.proposed is not None
    assert found.proposed[0].name == "aggressiveness"
    mine, theirs = (found.others[0][1], found.present[1])
    assert mine.part is theirs.part is Part.HELD_OUT
    assert mine.total < theirs.total
    assert (found.won, found.lost, len(mine.days)) == (1, 0, 1)
    assert sum(theirs.days) == pytest.approx(theirs.total)


def test_a_search_repeats_itself(found: Finding) -> None:
    """To the last bit."""
    assert search(ground(), Workers(), quiet, ["aggressiveness"]) == found


def test_where_nobody_waits_nothing_is_proposed() -> None:
    """However many candidates there are."""
    still = ground()
    idle = {
        part: replace(t, guests={"cpu": replace_cells(t.guests["cpu"])}) for part, t in still.tracks.items()
    }  # fmt: skip
    found = search(replace(still, tracks=idle), Workers(), quiet, ["hot.cpu_used"])
    assert (found.best, found.proposed, found.present[0].total) == (None, None, 0)


def replace_cells(columns):  # type: ignore[no-untyped-def]
    """Return the columns with hardly anything used."""
    return type(columns)(columns.names, columns.cells // 100)


TRACE = "guest,at,cpu,vcpus\n" + "".join(
    f"vm-{i},{START + 300 * s},{(1900 if i < 3 else 100) + s % 5},2\n"
    for s in range(60)
    for i in range(6)
)


def test_the_verb_prints_lines_and_writes_a_policy_only_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes extends the present policy and can be read."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(TRACE)
    Path("lazy.toml").write_text('extends = "balance"\naggressiveness = 1\n')
    words = ["tune", "--trace", "t.csv", "--hosts", "2", "--cores", "5", "--every", "20", "--jobs", "1"]  # fmt: skip
    words += ["--policy", "lazy.toml", "--only", "aggressiveness"]
    assert run(words) == 0
    shown = capsys.readouterr().out
    assert "Chosen on" in shown
    assert "Held out" in shown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["lazy.toml", "t.csv"]
    assert run([*words, "--format", "json", "-o", "new.toml"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["format"] == "balancer-tune/1"
    assert len(told["candidates"]) == 3
    assert (told["proposed"] is not None) == Path("new.toml").exists()
    if told["proposed"]:
        assert load_policy(Path("new.toml")).aggressiveness > 1


def test_too_little_past_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the remedy."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("\n".join(TRACE.splitlines()[:31]) + "\n")
    assert run(["tune", "--trace", "t.csv", "--hosts", "2"]) == 3
    assert "too few to choose by one part" in capsys.readouterr().err
