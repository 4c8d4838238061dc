"""Independent runs over the processes of this machine, or over the machines of a Dask cluster.

A run follows from what it is given alone, so where it is made changes nothing but the time it
takes. A Dask cluster is refused where its workers do not run the very code of this machine.
"""

import hashlib
import platform
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import balancer
from balancer.ports import UsageError

Shared = TypeVar("Shared")
Job = TypeVar("Job")
Result = TypeVar("Result")

DECIDING: Final = ("numpy", "ortools", "numba", "networkx")
"""Packages of which another version may decide otherwise."""
PATIENCE: Final = 10.0
"""Seconds that a scheduler and its first worker are waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Who makes the runs."""

    processes: int = 1
    """Of this machine."""
    dask: str = ""
    """Address of a Dask scheduler, as `tcp://sched:8786`; empty for this machine alone."""


def spread(
    work: Callable[[Shared, Job], Result],
    shared: Shared,
    jobs: Sequence[Job],
    workers: Workers,
    done: Callable[[], None] = lambda: None,
) -> tuple[Result, ...]:
    """Return `work(shared, job)` of each job, in their order; `done` is called as each one ends.

    `shared` is sent to each worker once. What a run raises is raised here. Raises UsageError
    where the workers cannot be used, or end before their time.
    """
    if workers.dask:
        return _over_dask(work, shared, jobs, workers.dask, done)
    if workers.processes <= 1 or len(jobs) <= 1:
        return tuple(_told(work(shared, job), done) for job in jobs)
    with _pool(min(workers.processes, len(jobs)), (work, shared)) as pool:
        running = [pool.submit(_here, job) for job in jobs]
        return _collected(running, as_completed(running), done)


def _collected(
    running: Sequence["Future[Any]"], ending: Iterator["Future[Any]"], done: Callable[[], None]
) -> tuple[Any, ...]:
    """Return all results in order; a fault is raised as soon as it is known."""
    for future in ending:
        _told(future.result(), done)
    return tuple(future.result() for future in running)


def _told(result: Result, done: Callable[[], None]) -> Result:
    done()
    return result


_given: tuple[Callable[[Any, Any], Any], Any] | None = None
"""What a process of a pool was given at its beginning: the work, and what all of it shares."""


def _begin(given: tuple[Callable[[Any, Any], Any], Any]) -> None:
    global _given  # noqa: PLW0603 - a process has one
    _given = given


def _here(job: object) -> object:
    assert _given is not None  # noqa: S101 - each process begins with _begin
    work, shared = _given
    return work(shared, job)


@contextmanager
def _pool(processes: int, given: tuple[Any, Any]) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool whose processes begin afresh: solvers' threads do not survive a fork."""
    pool = ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_begin, initargs=(given,)
    )
    try:
        yield pool
    except (OSError, BrokenProcessPool) as error:
        raise UsageError(
            f"the runs cannot be spread over processes: {error}: give --jobs 1"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _over_dask(
    work: Callable[[Any, Any], Any],
    shared: object,
    jobs: Sequence[object],
    address: str,
    done: Callable[[], None],
) -> tuple[Any, ...]:
    with _scheduler(address) as client:
        _same_code(client.run(fingerprint))
        everywhere = client.scatter(shared, broadcast=True, hash=False)
        running = [client.submit(work, everywhere, job, pure=False) for job in jobs]
        distributed = _distributed()
        try:
            ending = distributed.as_completed(running, loop=client.loop)
            return _collected(running, ending, done)
        except (distributed.scheduler.KilledWorker, distributed.CancelledError) as error:
            raise UsageError(
                f"--dask {address}: a worker ended before its run did: see to its memory and its log"
            ) from error


@contextmanager
def _scheduler(address: str) -> Iterator[Any]:
    """Yield a client of the cluster. Raises UsageError where nobody answers."""
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _nobody(address, f"no scheduler answers: {error}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except OSError as error:  # TimeoutError is one
            raise _nobody(address, "it has no workers") from error
        yield client


def _nobody(address: str, why: str) -> UsageError:
    return UsageError(
        f"--dask {address}: {why}: name a scheduler that runs, as tcp://scheduler:8786, with at "
        "least one worker"
    )


def _distributed() -> Any:  # noqa: ANN401 - an extra, there or not
    try:
        return import_module("distributed")
    except ModuleNotFoundError:
        raise UsageError("--dask needs Dask: pip install 'balancer[dask]'") from None


def fingerprint() -> dict[str, str]:
    """Return what decides, beside its input, what a run comes to: the code that makes it."""
    found = {"python": platform.python_version(), "balancer's code": _code()}
    for name in DECIDING:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def _code() -> str:
    """Return the first hex digits of a hash over every source file of this package."""
    folder = Path(balancer.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _same_code(workers: dict[str, dict[str, str]]) -> None:
    """Raise UsageError where a worker would decide by other code."""
    mine = fingerprint()
    for name, theirs in sorted(workers.items()):
        differs = [f"{key} {theirs.get(key)}, here {mine[key]}" for key in mine if theirs.get(key) != mine[key]]  # fmt: skip
        if differs:
            raise UsageError(
                f"the Dask worker {name} has {'; '.join(differs)}: install the same there, or the "
                "runs could not be compared"
            )
