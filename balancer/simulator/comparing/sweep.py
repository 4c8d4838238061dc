"""The same scenario under several policies and seeds: one run each, over processes or machines.

A run depends on scenario, policy and seed alone, so who makes it changes nothing but the time it
takes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from balancer.config import load_policy
from balancer.simulator.counting.counted import Counted, Course
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import Scenario, load_scenario
from balancer.simulator.spreading import Workers, spread

OWN: Final = ""
"""Stands for the scenario's own policy."""
ALONE: Final = Workers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One run to be made."""

    scenario: Path
    policy: str = OWN
    """Path of a policy file; OWN for what the scenario says."""
    seed: int

    def check(self) -> Scenario:
        """Return the scenario to be run. Raises UsageError where a file cannot be used."""
        policy = load_policy(Path(self.policy)) if self.policy else None
        return load_scenario(self.scenario, policy=policy, seed=self.seed)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Run:
    """What came of one run."""

    task: Task
    counted: Counted
    failed: int
    lost: int
    unmet: tuple[str, ...]
    stopped: str
    course: Course


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All runs of one scenario, by the name of the policy, seeds in order."""

    scenario: str
    about: str
    seeds: tuple[int, ...]
    runs: Mapping[str, tuple[Run, ...]]


def tasks(scenario: Path, policies: Sequence[str], seeds: Sequence[int]) -> tuple[Task, ...]:
    """Return one task for each policy and seed."""
    return tuple(
        Task(scenario=scenario, policy=policy, seed=seed) for policy in policies for seed in seeds
    )


def sweep(
    wanted: Sequence[Task], workers: Workers = ALONE, done: Callable[[], None] = lambda: None
) -> tuple[Run, ...]:
    """Return what came of each task, in the order given; `done` is called as each one ends.

    Raises UsageError where a file or the workers cannot be used.
    """
    if workers.dask:  # other machines do not have our files
        return spread(_sent, None, [(task, task.check()) for task in wanted], workers, done)
    return spread(_read, None, wanted, workers, done)


def _read(_: None, task: Task) -> Run:
    return _lived(task, task.check())


def _sent(_: None, job: tuple[Task, Scenario]) -> Run:
    return _lived(*job)


def _lived(task: Task, scenario: Scenario) -> Run:
    report = Simulation(scenario).run()
    return Run(
        task=task,
        counted=report.figures.counted,
        failed=report.figures.failed,
        lost=report.figures.lost,
        unmet=report.unmet,
        stopped=report.stopped,
        course=report.course,
    )


def compared(scenario: Path, runs: Sequence[Run]) -> Comparison:
    """Return the runs of one scenario side by side."""
    labels = _labels([run.task.policy for run in runs])
    by_policy = {
        labels[policy]: tuple(run for run in runs if run.task.policy == policy)
        for policy in dict.fromkeys(run.task.policy for run in runs)
    }
    return Comparison(
        scenario=scenario.stem,
        about=load_scenario(scenario).about,
        seeds=tuple(dict.fromkeys(run.task.seed for run in runs)),
        runs=by_policy,
    )


def _labels(policies: Sequence[str]) -> Mapping[str, str]:
    """Return what to call each policy: its file's name, its path where two are called alike."""
    known = list(dict.fromkeys(policies))
    stems = [Path(policy).stem for policy in known]
    return {
        policy: (stem if stems.count(stem) == 1 else policy) or "as the scenario says"
        for policy, stem in zip(known, stems, strict=True)
    }
