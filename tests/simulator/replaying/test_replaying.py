"""A replay decides what was decided, sees nothing of what came later, and repeats itself."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from balancer.adapters.history_sqlite import SqliteHistory
from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.cli import run
from balancer.codec import dump_observation
from balancer.config import Guards, Mode, default_policy
from balancer.planner.model.cluster import Cluster
from balancer.planner.model.observation import Observation
from balancer.planner.model.policy import Hot
from balancer.planner.model.request import Effort
from balancer.planner.model.rollups import STEP, UNKNOWN
from balancer.ports import UsageError
from balancer.service.loop import Service
from balancer.service.world import World as Installation
from balancer.simulator.replaying.recorded import recorded
from balancer.simulator.replaying.run import Replay, ReplayReport
from balancer.simulator.replaying.traces import Shape, Trace, load_trace, track
from balancer.simulator.replaying.track import Columns, Track
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario

CASE = """
length = "7h"
interval = "15min"
seed = 4
[[hosts]]
names = "kvm[1-5]"
cpu = 16
memory = "64GiB"
[[guests]]
names = "web-[01-20]"
vcpus = 4
memory = ["4GiB", "8GiB"]
cpu = { shape = "diurnal", low = 0.5, high = 2.4, peak = "14h" }
noise = "15%"
dirty = ["5MiB/s", "30MiB/s"]
[[guests]]
names = "job-[1-6]"
on = "kvm1"
vcpus = 4
memory = "6GiB"
cpu = { shape = "burst", low = 0.5, high = 3.8, every = "4h", lasting = "2h" }
[[events]]
at = "187min"
what = "moved_by_hand"
guests = "web-03"
to = "kvm5"
[[events]]
at = "100min"
what = "guests_boot"
names = "late-[1-3]"
vcpus = 4
memory = "6GiB"
cpu = 2.5
boot_cpu = 3
[[events]]
at = "200min"
what = "guest_stops"
guests = "web-07"
[[events]]
at = "10s"
what = "migration_fails"
guests = "job-2"
after = "3s"
"""
POLICY = replace(default_policy(), name="live", hot=Hot(cpu_used=0.75))


@dataclass
class Lived:
    """What a service that ran for some hours left behind."""

    cluster: Cluster
    history: SqliteHistory
    journal: SqliteJournal
    start: float
    folder: Path

    def track(self, since: float = 0.0) -> Track:
        """Return it as a track."""
        lookback = POLICY.forecast.lookback
        span = (self.start + since, float("inf"))
        return recorded(self.cluster, self.history, self.journal, span, lookback)[0]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Let the service run over a simulated cluster, with the history and journal of production."""
    folder = tmp_path_factory.mktemp("lived")
    (folder / "case.toml").write_text(CASE)
    scenario = replace(load_scenario(folder / "case.toml"), policy=POLICY)
    journal = SqliteJournal(folder / "journal.sqlite")
    history = SqliteHistory(folder / "history.sqlite")
    simulation = Simulation(scenario, journal=journal)
    installation = Installation(
        ports=replace(simulation.ports, history=history),
        policy=POLICY,
        mode=Mode.AUTO,
        interval=scenario.interval,
        guards=Guards(auto_after=0.0),
        effort=Effort.INSTANT,
    )
    for minutes in (250, 420):  # it is started anew on the way, as by an upgrade
        service = Service(installation, nap=scenario.interval)
        service.run(scenario.start + 60 * minutes)
    world = simulation.world
    cluster = Cluster(
        tuple(h.spec for h in world.hosts.values()),
        tuple(g.spec for g in world.guests.values()),
        dict(world.placement),
    )
    return Lived(cluster, history, journal, scenario.start, folder)


def replayed(track: Track, **changed: object) -> ReplayReport:
    """Return what comes of replaying the track under the policy of then, changed so."""
    return Replay(track=track, policy=replace(POLICY, **changed)).run()  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def live(lived: Lived) -> ReplayReport:
    """Return the replay under the policy of then."""
    return replayed(lived.track())


def test_the_policy_of_then_decides_what_was_decided_then(live: ReplayReport) -> None:
    """At every look, plan for plan; moves, a failure and a move by hand among them."""
    assert len(live.looks) >= 27
    plans = [look.plan for look in live.looks if look.plan]
    assert len(plans) >= 2
    assert [(look.at, look.plan) for look in live.looks if not look.same] == []
    assert live.counted.migrations >= 2


def test_guests_that_came_later_are_there_from_then_on(lived: Lived, live: ReplayReport) -> None:
    """Not before, and where they were started."""
    made = lived.track()
    late = {g.uuid for g in made.cluster.guests if g.name.startswith("late-")}
    assert len(late) == 3
    assert not late & made.cluster.placement.keys()
    assert {change.guest for change in made.changes if change.comes} == late
    (gone,) = [change.guest for change in made.changes if not change.comes]
    assert gone not in lived.cluster.guest
    spec = made.cluster.guest[gone]
    assert (spec.name, spec.allocation["memory"] in {4096, 8192}) == ("web-07", True)
    assert live.counted.never_began == 0
    first = min(change.at for change in made.changes)
    assert sum(look.at >= first for look in live.looks) > 10


def test_a_replay_repeats_itself_to_the_last_bit(lived: Lived, live: ReplayReport) -> None:
    """Decisions and figures."""
    assert replayed(lived.track()) == live


def test_the_verb_replays_the_services_own_past(
    lived: Lived, live: ReplayReport, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the files that the configuration names."""
    (tmp_path / "case.json").write_text(dump_observation(Observation(lived.start, lived.cluster)))
    (tmp_path / "live.toml").write_text('extends = "balance"\n[hot]\ncpu_used = "75%"\n')
    (tmp_path / "config.toml").write_text(
        f'interval = "15min"\npolicy = "live.toml"\njournal = "{lived.folder}/journal.sqlite"\n'
        f'history = "{lived.folder}/history.sqlite"\n'
    )
    words = ["replay", "-c", str(tmp_path / "config.toml"), "--from", str(tmp_path / "case.json")]
    assert run(words) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{len(live.looks)} of {len(live.looks)} decisions are those of then." in shown


def test_the_verb_tunes_by_the_services_own_past(
    lived: Lived, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its second part begins where guests stood then; nothing is written unless asked."""
    (tmp_path / "case.json").write_text(dump_observation(Observation(lived.start, lived.cluster)))
    (tmp_path / "config.toml").write_text(
        f'interval = "15min"\njournal = "{lived.folder}/journal.sqlite"\n'
        f'history = "{lived.folder}/history.sqlite"\n'
    )
    words = ["tune", "-c", str(tmp_path / "config.toml"), "--from", str(tmp_path / "case.json")]
    assert run([*words, "--only", "hot.lasting", "--held-out", "40%", "--jobs", "1"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 candidates tried" in shown
    assert 'hot.lasting = "30min"' in shown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["case.json", "config.toml"]


@pytest.mark.parametrize("hours", [0.5, 2.1, 4.0])
def test_it_may_begin_in_the_middle(lived: Lived, hours: float) -> None:
    """With what the journal knew by then, heat that had not lasted yet among it."""
    report = replayed(lived.track(since=hours * 3600.0))
    assert report.looks[0].at >= lived.start + hours * 3600
    assert report.same == len(report.looks)


def test_a_service_started_anew_remembers_nothing(lived: Lived, live: ReplayReport) -> None:
    """As it was then: heat has to last again before anybody moves."""
    made = lived.track()
    assert made.record is not None
    (restart,) = made.record.restarts
    assert made.looks[restart] == lived.start + 250 * 60
    acts = next(n for n, look in enumerate(live.looks) if look.plan)
    anew = replace(made, record=replace(made.record, restarts=frozenset({acts})))
    assert replayed(anew).looks[acts].plan == ""


def test_another_policy_goes_its_own_way(lived: Lived, live: ReplayReport) -> None:
    """One that only repairs moves nobody, and waiting is counted for it."""
    idle = replayed(lived.track(), aggressiveness=1, hot=Hot(cpu_used=0.99))
    assert idle.counted.migrations == 0
    assert idle.counted.contention > live.counted.contention
    assert idle.same < len(idle.looks)


def test_what_came_later_changes_no_earlier_decision(lived: Lived, live: ReplayReport) -> None:
    """The future of every guest is turned upside down; decisions up to then stay."""
    track = lived.track()
    middle = len(track.looks) // 2
    cut = track.column(track.looks[middle]) + 1

    def upset(columns: Columns) -> Columns:
        cells = columns.cells.copy()
        cells[cut:] = np.where(cells[cut:] == UNKNOWN, UNKNOWN, cells[cut:][:, ::-1] // 3)
        return Columns(columns.names, cells)

    other = replace(track, guests={m: upset(c) for m, c in track.guests.items()})
    first, second = live.looks[: middle + 1], replayed(other).looks[: middle + 1]
    assert [look.plan for look in first] == [look.plan for look in second]


def test_energy_is_by_the_curve_of_each_host(lived: Lived) -> None:
    """Where it is declared; else by the usual one."""
    made = lived.track()
    flat = tuple(replace(host, power=(100, 100)) for host in made.cluster.hosts)
    report = Replay(
        track=replace(made, cluster=replace(made.cluster, hosts=flat)), policy=POLICY
    ).run()
    minutes = 5 * (made.column(made.looks[-1] + 900) - made.column(made.looks[0]))
    assert report.counted.energy == pytest.approx(5 * 100 * minutes / 60, rel=0.03)


def test_a_journal_or_history_without_that_time_is_one_sentence(
    lived: Lived, tmp_path: Path
) -> None:
    """It says what is missing."""
    with pytest.raises(UsageError, match="knows of no look"):
        lived.track(since=1e6)
    empty = replace(lived, history=SqliteHistory(tmp_path / "none.sqlite"))
    with pytest.raises(UsageError, match="holds nothing of that time"):
        empty.track()


def small(cpu: list[list[int]]) -> Trace:
    """Return a trace of a few guests."""
    names = tuple(f"vm-{i}" for i in range(len(cpu[0])))
    return Trace(
        start=1_750_032_000, names=names, vcpus=(4,) * len(names), memory=(4096,) * len(names),
        cpu=np.array(cpu, dtype=np.int32),
    )  # fmt: skip


def test_what_was_not_measured_between_two_looks_is_as_it_was_known_last() -> None:
    """A look every quarter of an hour stands for all of it."""
    trace = small([[1], [5000], [UNKNOWN], [UNKNOWN]])
    made = track(trace, Shape(hosts=1, cores=4), 300)
    report = Replay(track=made, policy=default_policy(), interval=300).run()
    assert report.counted.contention == 900  # from the look on: what is over is not counted


def test_a_trace_is_counted_column_by_column() -> None:
    """5 cores wanted of 4 in one step of five minutes: one vCPU waits for 300 s."""
    made = track(small([[1000, 1000], [3000, 2000], [1000, 1000]]), Shape(hosts=1, cores=4), 300)
    report = Replay(track=made, policy=default_policy(), interval=300).run()
    assert (report.counted.contention, report.counted.overload) == (300, 300)
    assert [look.then for look in report.looks] == [None, None]


def test_a_hot_host_of_a_trace_is_relieved() -> None:
    """Guests of a trace may run on each of its hosts."""
    cells = [[3800 + s if g in {0, 2} else 300 + s for g in range(4)] for s in range(12)]
    made = track(small(cells), Shape(hosts=2, cores=8), 900)
    report = Replay(track=made, policy=default_policy()).run()
    assert report.counted.migrations >= 1


def test_a_look_at_a_trace_sees_only_steps_that_are_over() -> None:
    """The step that it stands in is still to come."""
    made = track(small([[1], [2], [3]]), Shape(hosts=1), STEP)
    assert [made.newest(at) for at in made.looks] == [0, 1]
    past = made.before(made.looks[1], 3 * STEP)
    assert past.matrix(past.guests["cpu"]).tolist() == [[1, 2, UNKNOWN]]


def test_csv_and_npz_are_read(tmp_path: Path) -> None:
    """By the columns documented; several rows in five minutes are averaged."""
    path = tmp_path / "t.csv"
    path.write_text(
        "guest,at,cpu,vcpus,memory,rss\na,600,100,2,2048,900\na,700,300,2,2048,900\nb,900,50,1,1024,500\n"
    )
    trace = load_trace(path)
    assert (trace.start, trace.names, trace.vcpus, trace.memory) == (
        600,
        ("a", "b"),
        (2, 1),
        (2048, 1024),
    )
    assert trace.cpu.tolist() == [[200, UNKNOWN], [UNKNOWN, 50]]
    np.savez(tmp_path / "d.npz", util=np.array([[10, 20]], dtype=np.uint8), names=np.array(["x"]))
    assert load_trace(tmp_path / "d.npz").cpu.tolist() == [[100], [200]]


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("a.csv", "guest,at\na,1\n", "has no column cpu"),
        ("a.csv", "guest,at,cpu\na,1,much\n", "no trace that can be read"),
        ("a.txt", "", "a trace is a .npz"),
        ("a.npz", "junk", "no trace that can be read"),
    ],
)
def test_a_trace_that_cannot_be_read_is_one_sentence(
    tmp_path: Path, name: str, text: str, fault: str
) -> None:
    """It names the file."""
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=fault):
        load_trace(tmp_path / name)


def test_guests_that_fit_nowhere_are_named() -> None:
    """With the remedy."""
    with pytest.raises(UsageError, match="fits on none of 1 hosts: give more --hosts"):
        track(small([[1, 1], [1, 1]]), Shape(hosts=1, memory_mib=5000), 300)
    with pytest.raises(UsageError, match="too short"):
        track(small([[1, 1]]), Shape(hosts=1), 300)
