"""The same scenario under several policies and seeds: one run each, over processes.

A run depends on scenario, policy and seed alone, so how many processes take part changes nothing
but the time it takes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from balancer.config import load_policy
from balancer.ports import UsageError
from balancer.simulator.counting.counted import Counted, Course
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import Scenario, load_scenario

OWN: Final = ""
"""Stands for the scenario's own policy."""


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

    def run(self) -> "Run":
        """Return what came of it. Raises UsageError where a file cannot be used."""
        report = Simulation(self.check()).run()
        return Run(
            task=self,
            counted=report.figures.counted,
            failed=report.figures.failed,
            lost=report.figures.lost,
            unmet=report.unmet,
            stopped=report.stopped,
            course=report.course,
        )


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
    wanted: Sequence[Task], processes: int, done: Callable[[], None] = lambda: None
) -> tuple[Run, ...]:
    """Return what came of each task, in the order given; `done` is called as each one ends.

    Raises UsageError where a file cannot be used, or a process is killed from outside.
    """
    if processes <= 1 or len(wanted) <= 1:
        return tuple(_told(task.run(), done) for task in wanted)
    found: dict[Task, Run] = {}
    with _pool(min(processes, len(wanted))) as pool:
        running = [pool.submit(task.run) for task in wanted]
        for future in as_completed(running):
            run = _told(future.result(), done)
            found[run.task] = run
    return tuple(found[task] for task in wanted)


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes begin afresh: solvers' threads do not survive a fork."""
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield pool
    except OSError as error:
        raise UsageError(
            f"the runs cannot be spread over processes: {error}: give --jobs 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _told(run: Run, done: Callable[[], None]) -> Run:
    done()
    return run


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
