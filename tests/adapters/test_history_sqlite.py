"""What is measured is kept, averaged, handed back, and in time dropped."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.history_sqlite import (
    DAY,
    WRITES,
    Retention,
    SqliteHistory,
    _packed,
    _unpacked,
)
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.rollups import LARGEST, STEP, UNKNOWN, Block, Rollups
from balancer.ports import UsageError

BEGIN = 1_750_000_200
"""A multiple of STEP."""
HOUR = 3600.0


def seen(at: float, hosts: dict[str, int] | None = None, **cpu: int) -> Observation:
    """Return an observation of guests by their CPU, and hosts by theirs."""
    return Observation(
        at,
        Cluster((), (), {}),
        History(
            {name: (Sample(at, 60.0, {"cpu": value}),) for name, value in cpu.items()},
            {name: (Sample(at, 60.0, {"cpu": v}),) for name, v in (hosts or {}).items()},
        ),
    )


@pytest.fixture
def store(tmp_path: Path) -> SqliteHistory:
    return SqliteHistory(tmp_path / "deep" / "history.sqlite")


def row(rollups: Rollups, name: str, metric: str = "cpu") -> list[float]:
    values = rollups.guest_rows(metric, [name])[0]
    return [UNKNOWN if np.isnan(v) else float(v) for v in values]


def test_nothing_is_known_before_the_first_append(store: SqliteHistory, tmp_path: Path) -> None:
    """Reading makes no file; it finds nothing."""
    assert store.rollups(BEGIN, HOUR) == Rollups()
    assert store.span() == (0.0, 0.0)
    assert not store.is_filled("prometheus", 0, 1)
    assert not list(tmp_path.iterdir())
    store.close()


def test_samples_of_five_minutes_become_one_mean(store: SqliteHistory) -> None:
    """Guests that come and go are unknown where they were not there; metrics stay apart."""
    store.append(seen(BEGIN + 10, {"h1": 500}, a=100, b=50))
    store.append(seen(BEGIN + 70, {"h1": 700}, a=200))
    store.append(seen(BEGIN + STEP, a=7, c=LARGEST + 5))
    past = store.rollups(BEGIN + STEP + 1, 3 * STEP)
    assert (past.start, past.columns) == (BEGIN - STEP, 3)
    assert row(past, "a") == [UNKNOWN, 150, 7]
    assert row(past, "b") == [UNKNOWN, 50, UNKNOWN]
    assert row(past, "c") == [UNKNOWN, UNKNOWN, float(np.float32(LARGEST))]
    assert row(past, "nobody") == [UNKNOWN] * 3
    assert past.host_rows("cpu", ["h1"])[0, 1] == 600
    assert row(past, "a", "network") == [UNKNOWN] * 3
    assert store.span() == (BEGIN, BEGIN + STEP)
    assert store.rollups(BEGIN + STEP, STEP, ("network",)).guests == {}


def test_it_survives_a_restart(store: SqliteHistory) -> None:
    """Another process finds what was kept, and goes on in the same five minutes."""
    store.append(seen(BEGIN, a=100))
    store.close()
    again = SqliteHistory(store._path)
    again.append(seen(BEGIN + 60, a=300))
    assert row(again.rollups(BEGIN + 60, STEP), "a") == [200]
    again.close()


def test_what_is_not_known_is_not_kept_as_nothing(store: SqliteHistory) -> None:
    """A guest without a sample, and a metric without a value, stay unknown."""
    both = seen(BEGIN, a=1, b=2)
    less = {
        "b": (Sample(BEGIN, 60.0, {}),),
        "c": (),
        "d": (Sample(BEGIN, 60.0, {"cpu": -(2**40)}),),
    }
    store.append(replace(both, history=History({**both.history.guests, **less})))
    past = store.rollups(BEGIN, STEP)
    assert [row(past, name) for name in "abcd"] == [[1], [UNKNOWN], [UNKNOWN], [UNKNOWN]]


def test_the_past_is_filled_in_behind_the_present(store: SqliteHistory) -> None:
    """A backfill never overwrites what was measured, and is remembered."""
    store.append(seen(BEGIN, a=100))
    cells = np.array([[5, UNKNOWN, 7]], dtype=np.int32)
    means = Rollups(BEGIN - 2 * STEP, 3, {"cpu": Block.of(["a"], cells)})
    store.backfill("guests", "cpu", means)
    store.backfill("hosts", "cpu", means)
    store.filled("prometheus", 0, 100)
    assert row(store.rollups(BEGIN, 3 * STEP), "a") == [5, UNKNOWN, 100]
    assert store.is_filled("prometheus", 0, 100)
    assert not store.is_filled("prometheus", 0, 101)


def test_what_is_old_goes(tmp_path: Path) -> None:
    """Raw samples go after their time, means after theirs."""
    store = SqliteHistory(tmp_path / "h", Retention(raw_seconds=HOUR, mean_seconds=2 * HOUR))
    for minute in range(0, 240, 5):
        store.append(seen(BEGIN + 60 * minute, a=minute + 1))
    known = [v for v in row(store.rollups(BEGIN + 60 * 235, DAY), "a") if v != UNKNOWN]
    assert len(known) == 25
    with sqlite3.connect(tmp_path / "h") as other:
        (raw,) = other.execute("SELECT count(*) FROM cells WHERE raw = 1").fetchone()
    other.close()
    assert raw == 13
    store.close()


def test_the_file_stays_within_its_size(tmp_path: Path) -> None:
    """The oldest go first, raw samples before means; the newest are always there."""
    chance = np.random.default_rng(1)
    store = SqliteHistory(tmp_path / "h", Retention(bytes=400_000))
    last = 0
    for cycle in range(60):
        values = {f"g{n}": int(v) for n, v in enumerate(chance.integers(0, 2**30, 800))}
        last = BEGIN + STEP * cycle
        store.append(seen(last, **values))
    assert (tmp_path / "h").stat().st_size < 600_000
    past = store.rollups(last, STEP)
    assert row(past, "g799") != [UNKNOWN]
    store.close()
    tiny = SqliteHistory(tmp_path / "tiny", Retention(bytes=1))
    tiny.append(seen(BEGIN, a=1))
    tiny.close()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        ("CREATE TABLE other (x)", "is a database of another program"),
        ("PRAGMA application_id = 1650551912; PRAGMA user_version = 9; CREATE TABLE cells (x)", "another release"),
    ],
)  # fmt: skip
def test_a_file_of_others_is_refused(tmp_path: Path, make: str, sentence: str) -> None:
    """Nothing is written into a file that is not ours or not of this version."""
    with sqlite3.connect(tmp_path / "h") as other:
        other.executescript(make)
    other.close()
    with pytest.raises(UsageError, match=sentence):
        SqliteHistory(tmp_path / "h").append(seen(BEGIN, a=1))


def test_damage_is_one_sentence(tmp_path: Path) -> None:
    """A file that is no database, or whose cells are damaged, names itself and the remedy."""
    (tmp_path / "h").write_bytes(b"no database at all" * 100)
    with pytest.raises(UsageError, match=r"history .* cannot be written"):
        SqliteHistory(tmp_path / "h").append(seen(BEGIN, a=1))
    store = SqliteHistory(tmp_path / "i")
    store.append(seen(BEGIN, a=1))
    with sqlite3.connect(tmp_path / "i") as other:
        other.execute("UPDATE cells SET cells = x'00'")
    other.close()
    with pytest.raises(UsageError, match=r"history .* cannot be read"):
        store.rollups(BEGIN, STEP)
    store.close()


def test_a_failed_append_leaves_nothing_behind(store: SqliteHistory) -> None:
    """An append is all or nothing."""
    store.append(seen(BEGIN, a=1))
    wrong = seen(BEGIN + STEP, a=2)
    bad = {"b": (Sample(BEGIN, 60.0, {"zzz": "no number"}),)}  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        store.append(replace(wrong, history=History({**wrong.history.guests, **bad})))
    assert store.span() == (BEGIN, BEGIN)


@given(st.lists(st.integers(-1, LARGEST), min_size=1, max_size=40))
def test_packing_loses_nothing(values: list[int]) -> None:
    """What is unpacked is what was packed."""
    cells = np.array(values, dtype=np.int32)
    assert (_unpacked(_packed(cells), len(values)) == cells).all()


def test_the_log_is_carried_into_the_file_beside_the_cycles(tmp_path: Path) -> None:
    """The file grows although no append waits for it, and the log begins anew once it has."""
    path = tmp_path / "history.sqlite"
    store = SqliteHistory(path)
    log, sizes = path.with_name("history.sqlite-wal"), []
    for cycle in range(3 * WRITES):
        store.append(seen(BEGIN + cycle * STEP, **{f"g{n}": cycle * n for n in range(300)}))
        for other in set(threading.enumerate()) - {threading.current_thread()}:
            if other.name.startswith("history"):
                other.join()
        sizes.append(log.stat().st_size)
    assert path.stat().st_size > WRITES * 2**10
    assert sizes[-1] < 1.5 * sizes[WRITES - 1]
    store.close()
    assert not log.exists()
    again = SqliteHistory(path)
    assert again.span() == (BEGIN, BEGIN + (3 * WRITES - 1) * STEP)
    again.close()
