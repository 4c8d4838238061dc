"""The service turns over a simulated cluster, and every scenario that ships keeps its word."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from balancer.adapters.stand_in import MemoryJournal
from balancer.config import default_policy
from balancer.planner.model.plan import Plan, Result
from balancer.planner.model.policy import Hot
from balancer.ports import Event, UsageError
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from tests.worlds import Diary

AT_ONCE = replace(default_policy(), hot=Hot(lasting=0.0))
SIMULATIONS = Path(__file__).resolve().parents[2] / "simulations"


@pytest.mark.parametrize("path", sorted(SIMULATIONS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_scenario_that_ships_keeps_its_word(path: Path) -> None:
    """What its [expect] promises comes true, and it says what it is about."""
    scenario = load_scenario(path)
    assert scenario.about
    assert scenario.expect.promised
    assert Simulation(scenario).run().unmet == ()


def test_the_same_scenario_always_runs_the_same_way() -> None:
    """Two runs write the same journal, event for event."""
    journals = MemoryJournal(), MemoryJournal()
    for journal in journals:
        Simulation(load_scenario(SIMULATIONS / "hot_host.toml"), journal=journal).run()
    assert journals[0].read() == journals[1].read() != ()


def test_the_demonstration_has_what_it_is_to_show() -> None:
    """A hot host and a broken rule before; a handful of moves with reasons; all well after."""
    simulation = Simulation(load_scenario(SIMULATIONS / "demo.toml"), telemetry=(diary := Diary()))
    report = simulation.run()
    first = report.cycles[0].decision
    assert isinstance(first, Plan)
    assert first.hot_hosts == ("kvm01",)
    assert [v.rule for v in first.broken_before] == ["kafka: one broker per rack"]
    assert first.broken_after == ()
    actions = [a for plan in diary.plans for a in plan.actions]
    assert 2 <= len(actions) <= 6
    assert all(action.reason for action in actions)
    assert {outcome.result for outcome in report.outcomes} == {Result.DONE}
    assert len(report.cycles[0].observation.cluster.guests) >= 40
    assert diary.seen
    assert report.lost == report.refusals == ()


def test_time_slept_is_told_to_who_watches() -> None:
    """All of the scenario's length, no more."""
    told: list[float] = []
    scenario = load_scenario(SIMULATIONS / "demo.toml")
    Simulation(scenario, pace=told.append).run()
    assert sum(told) == pytest.approx(scenario.length)


def test_a_cycle_that_takes_longer_than_the_interval_is_not_caught_up() -> None:
    """The next begins when it has ended, and from then on they keep their distance again."""
    scenario = load_scenario(SIMULATIONS / "host_failure.toml")
    report = Simulation(replace(scenario, interval=60.0, length=900.0, policy=AT_ONCE)).run()
    began = [cycle.observation.at for cycle in report.cycles]
    assert began[1] - began[0] > 200
    assert all(later - earlier >= 60 for earlier, later in pairwise(began))


def test_a_stop_ends_the_run() -> None:
    """No further cycle begins; the report tells of what there was."""
    simulation = Simulation(load_scenario(SIMULATIONS / "demo.toml"), stop_requested=lambda: True)
    report = simulation.run()
    assert (report.figures.cycles, report.cycles) == (0, ())
    assert report.unmet


def test_a_refused_plan_is_a_figure_and_the_run_goes_on() -> None:
    """Another planner that moves a guest while ours plans makes that plan stale, not the run fail."""
    simulation = Simulation(load_scenario(SIMULATIONS / "demo.toml"))

    class Meddling(Diary):
        def planned(self, plan: Plan) -> None:
            super().planned(plan)
            if len(self.plans) == 1:
                simulation.world.put(plan.actions[0].guest, "kvm04")

    simulation.telemetry = Meddling()
    report = simulation.run()
    (refusal,) = report.refusals
    assert "is stale" in refusal
    assert "runs on kvm04 now" in refusal
    assert report.figures.refused >= 1
    assert report.figures.cycles == 5


def test_what_was_expected_in_vain_is_told(tmp_path: Path) -> None:
    """A scenario that does not keep its word says which, with the figure."""
    path = tmp_path / "idle.toml"
    path.write_text(
        '[[hosts]]\nnames = "a"\ncpu = 4\nmemory = "8GiB"\n[expect]\nmoves_at_least = 1\n'
    )
    assert Simulation(load_scenario(path)).run().unmet == ("moves_at_least = 1, but it was 0",)


def test_a_world_whose_hosts_are_all_dead_is_still_a_report(tmp_path: Path) -> None:
    """Every guest is lost and counted."""
    path = tmp_path / "dark.toml"
    path.write_text("""
        length = "10min"
        [[hosts]]
        names = "a"
        cpu = 4
        memory = "8GiB"
        [[guests]]
        names = "x"
        on = "a"
        [[events]]
        at = "1min"
        what = "host_dies"
        host = "a"
    """)
    report = Simulation(load_scenario(path)).run()
    assert (report.figures.lost, report.figures.hottest) == (1, 0.0)
    assert report.lost == ("x fell with a",)


class Broken(MemoryJournal):
    """Takes nothing."""

    def write(self, event: Event) -> None:
        """Fail."""
        raise UsageError(f"the journal cannot keep {event.kind}")


def test_a_journal_that_fails_moves_nothing() -> None:
    """Fails closed, cycle after cycle, and each says so."""
    simulation = Simulation(load_scenario(SIMULATIONS / "demo.toml"), journal=Broken())
    before = dict(simulation.world.placement)
    report = simulation.run()
    assert report.refusals[0] == "the journal cannot keep decided"
    assert simulation.world.placement == before
