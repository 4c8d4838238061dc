"""Local disks that go along with a guest: whose, how much that is, and what is left to tie it."""

from dataclasses import replace

from balancer.planner.model.cluster import Guest, LocalDisk, Tie
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import MEMORY

REMEDY = "[allow] copy_local_disks would let it be copied along"


def copied(problem: Problem, uuid: str) -> tuple[LocalDisk, ...]:
    """Return the disks that moving the guest copies: none where the policy does not consent."""
    disks = problem.cluster.guest[uuid].disks
    allowed = problem.policy.allow.copy_local_disks
    return disks if disks and problem.consented(allowed, uuid) else ()


def copied_mib(problem: Problem, uuid: str) -> int:
    """Return the MiB of disks that moving the guest sends at least."""
    return sum(disk.used_mib for disk in copied(problem, uuid))


def sent_mib(problem: Problem, uuid: str) -> int:
    """Return what moving the guest sends at least once, MiB: memory in use, else allocated; disks."""
    allocated = problem.cluster.guest[uuid].allocation.get(MEMORY, 0)
    memory = problem.demand.mean.get(uuid, {}).get(MEMORY, allocated)
    return memory + copied_mib(problem, uuid)


def as_it_moves(problem: Problem, guest: Guest) -> Guest:
    """Return the guest as its next host has to suit it.

    What is copied along needs a place there to be made in; what is not has to be there already.
    """
    if not guest.disks:
        return guest
    along = copied(problem, guest.uuid)
    made = {disk.storage for disk in along}
    return replace(guest, disks=along, storage=tuple(s for s in guest.storage if s not in made))


def holding(problem: Problem, guest: Guest) -> tuple[Tie, ...]:
    """Return the guest's ties, less those that copying its disks loosens."""
    return loosened(guest).ties if copied(problem, guest.uuid) else guest.ties


def loosened(guest: Guest) -> Guest:
    """Return the guest without the ties that copying its disks loosens."""
    along = {disk.name for disk in guest.disks}
    return replace(guest, ties=tuple(tie for tie in guest.ties if tie.disk not in along))
