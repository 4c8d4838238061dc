"""A guest with a disk of its host's own, moved with it: every byte of it, or none."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.codec import load_outcome_data
from balancer.planner.calibrate import learned
from balancer.planner.model.calibration import UNCALIBRATED
from balancer.planner.model.plan import Result

from .binding import libvirt
from .cluster import Laboratory
from .guest import GuestSpec
from .operator import Operator, events_of
from .test_execute import ended, executor, move, under_way

__all__ = ["executor"]

POLICY = "[[only_on]]\nguests = 'loc'\nhosts = 'h2'\n"
SLOW = {host: {"link": "160Mbit"} for host in ("h1", "h2")}
CONSENT = "[allow]\ncopy_local_disks = 'loc'\n"


def bytes_of(disk: Path) -> str:
    return hashlib.sha256(disk.read_bytes()).hexdigest()


def filled(disk: Path) -> str:
    """Write 40 MiB into a disk that its guest leaves alone."""
    with disk.open("r+b") as file:
        file.seek(1 << 20)
        file.write(os.urandom(40 << 20))
    return bytes_of(disk)


def test_a_local_disk_goes_along(
    lab: Laboratory, executor: LibvirtExecutor, tmp_path: Path
) -> None:
    """Not without consent; stopped halfway it is whole where it was; else it is there, and there alone.

    What it took teaches how long the next copy will.
    """
    (guest,) = lab.boot(GuestSpec("loc", disk="local"))
    here, there = (lab[name].local / "loc.raw" for name in ("h1", "h2"))
    before = filled(here)
    operator = Operator(lab, tmp_path)
    refused = operator.configure(POLICY).run("plan")
    assert refused.code == 2
    assert "copy_local_disks would let it be" in refused.out

    step = move(guest, "h2", rate_kib_s=8 * 1024, copies=("vda",))
    assert executor.look_again(step) == ""
    execution = executor.start(step)
    under_way(execution, 8)
    assert there.exists()
    execution.abort("enough")
    outcome = ended(execution)
    assert (outcome.result, outcome.left_behind) == (Result.ABORTED, ())
    assert guest.whereabouts() == {"h1": libvirt.VIR_DOMAIN_RUNNING}
    assert (bytes_of(here), there.exists()) == (before, False)

    there.write_bytes(b"somebody's")
    assert "is there already: remove it if nobody needs it" in executor.look_again(step)
    assert ended(executor.start(step)).result is Result.FAILED
    assert there.read_bytes() == b"somebody's"
    there.unlink()

    answer = operator.configure(POLICY + CONSENT, **SLOW).run("apply", "--now", "--yes")
    assert answer.code == 0, answer
    assert "copies vda along" in answer.out
    assert guest.whereabouts() == {"h2": libvirt.VIR_DOMAIN_RUNNING}
    assert guest.domain().isPersistent()
    assert (bytes_of(there), here.exists()) == (before, False)
    _has_taught(operator)


def _has_taught(operator: Operator) -> None:
    """What the copy took is in the journal, and within a factor of two of the model."""
    (told,) = events_of(operator, "ended")
    outcome = load_outcome_data(told.data["outcome"])
    assert outcome.passed is not None
    known = learned(UNCALIBRATED, outcome).disks
    assert known.jobs == 1
    assert 0.5 <= known.value <= 2
