"""Whether a guest can run on a host at all: processor, machine type, QEMU, networks, storage, devices.

What is not known to fit does not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from balancer.planner.model.cluster import TRANSLATED, Guest, GuestCpu, GuestState, Host
from balancer.planner.model.copying import as_it_moves
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, VCPUS

AS_THE_HOST = ("host-passthrough", "host-model", "maximum")
"""CPU modes in which a guest without a named model sees its host's own processor."""
THOUSAND = 1000
ANY_QEMU = Host(name="", capacity={}, qemu_version=1)
"""What a guest that is started anew comes from."""


def misfits(problem: Problem) -> Sequence[tuple[Sequence[int], Sequence[int]]]:
    """Return guests' numbers, and the numbers of the hosts that none of them fits, all apart.

    Asked once for all guests and hosts that are alike.
    """
    return problem.once("misfits", lambda: _misfits(problem, _against))


def live_misfits(problem: Problem) -> Sequence[tuple[Sequence[int], Sequence[int]]]:
    """Return the same of guests as they run: hosts to which none of them can be moved live."""
    return problem.once("live misfits", lambda: _misfits(problem, _against_live))


def _misfits(
    problem: Problem, objection: Callable[[Problem, Guest, Host, Host], str]
) -> Sequence[tuple[Sequence[int], Sequence[int]]]:
    hosts: dict[object, list[int]] = defaultdict(list)
    for number, host in enumerate(problem.cluster.hosts):
        hosts[_alike_host(host)].append(number)
    found = []
    for members in _kinds(problem).values():
        guest, source = _example(problem, members[0])
        barred = [
            number
            for numbers in hosts.values()
            if objection(problem, guest, source, problem.cluster.hosts[numbers[0]])
            for number in numbers
        ]
        found.append((members, sorted(barred)))
    return found


def _against(problem: Problem, guest: Guest, source: Host, target: Host) -> str:
    """Return why the guest can get to `target` neither live nor, where that is allowed, cold."""
    live = _against_live(problem, guest, source, target)
    if not live or not may_be_cold(problem, guest):
        return live
    allowed = may_be_emulated(problem, guest)
    return _objection(restarted(guest), ANY_QEMU, target, emulation=allowed) and live


def _against_live(problem: Problem, guest: Guest, source: Host, target: Host) -> str:
    return _objection(guest, source, target, emulation=may_be_emulated(problem, guest))


def as_live(problem: Problem, guest: Guest, source: str, target: str) -> str:
    """Return why the guest does not fit `target` as it runs on `source`; empty if it does."""
    moving, allowed = as_it_moves(problem, guest), may_be_emulated(problem, guest)
    return why_not(moving, problem.host(source), problem.host(target), emulation=allowed)


def as_restarted(problem: Problem, guest: Guest, target: str) -> str:
    """Return why the guest could not be started on `target`; empty if it could."""
    allowed = may_be_emulated(problem, guest)
    return why_not(restarted(guest), ANY_QEMU, problem.host(target), emulation=allowed)


def against(problem: Problem, guest: Guest, target: str) -> str:
    """Return why the guest can get from its home to `target` in no way that is allowed."""
    home = problem.host(problem.home(guest.uuid))
    if home.name == target:
        return ""
    return _against(problem, as_it_moves(problem, guest), home, problem.host(target))


def restarted(guest: Guest) -> Guest:
    """Return the guest as it is once started anew: it sees whatever processor it finds."""
    return guest if guest.cpu.model else replace(guest, cpu=GuestCpu())


def may_be_cold(problem: Problem, guest: Guest) -> bool:
    """True if the guest may be shut down and started elsewhere: local disks would stay behind."""
    allowed = problem.policy.allow.cold_moves
    able = guest.restartable and guest.persistent and guest.state is GuestState.RUNNING
    return able and not guest.disks and problem.consented(allowed, guest.uuid)


def may_be_emulated(problem: Problem, guest: Guest) -> bool:
    """True if the policy allows the guest where its architecture is not the host's."""
    return problem.consented(problem.policy.allow.emulation, guest.uuid)


def why_not(guest: Guest, source: Host, target: Host, *, emulation: bool = True) -> str:
    """Return why `guest`, running on `source`, cannot run on `target`; empty if it can.

    One phrase for the operator, of the first thing that does not fit. Unknown means no.
    `emulation`: whether the policy allows the guest where its architecture is emulated.
    """
    if source.name == target.name:
        return ""
    return _objection(guest, source, target, emulation=emulation)


def all_why_not(guest: Guest, source: Host, target: Host, *, emulation: bool) -> tuple[str, ...]:
    """Return everything that keeps `guest`, running on `source`, from running on another host."""
    if guest.architecture == target.architecture:
        return tuple(_objections(guest, source, target))
    return tuple(_emulated(guest, source, target, emulation=emulation))


def _objection(guest: Guest, source: Host, target: Host, *, emulation: bool) -> str:
    """Return the same for a target that is like `target`, but not the source itself."""
    if guest.architecture == target.architecture:
        return next(_objections(guest, source, target), "")
    return next(_emulated(guest, source, target, emulation=emulation), "")


def _emulated(guest: Guest, source: Host, target: Host, *, emulation: bool) -> Iterator[str]:
    """Yield what speaks against a host of another architecture, which would have to emulate it.

    Processors are QEMU's own there: what its version knows, whatever the host has.
    """
    if guest.accelerator != TRANSLATED:
        yield f"it is {target.architecture}, the guest {guest.architecture} under {guest.accelerator}"
    if guest.architecture not in target.emulates:
        yield f"it is {target.architecture} and cannot emulate {guest.architecture}"
    if not emulation:
        yield f"it is {target.architecture}, and [allow] emulation does not name the guest"
    yield from _cores(guest, target)
    machines = target.emulates.get(guest.architecture, ())
    if guest.machine and guest.machine not in machines:
        yield f"machine type {guest.machine} is unknown there"
    yield from _emulator(source, target)
    as_is = guest.cpu.mode in AS_THE_HOST and not guest.cpu.model
    if as_is and source.qemu_version != target.qemu_version:
        yield f"CPU mode {guest.cpu.mode} is what QEMU {_version(source.qemu_version)} makes it, not {_version(target.qemu_version)}"
    yield from _offers(guest, target)


def _objections(guest: Guest, source: Host, target: Host) -> Iterator[str]:
    if guest.accelerator not in target.accelerators:
        yield f"it has no {guest.accelerator}"
    yield from _cores(guest, target)
    yield from _processor(guest, source, target)
    if guest.machine and guest.machine not in target.machines:
        yield f"machine type {guest.machine} is unknown there"
    yield from _emulator(source, target)
    yield from _offers(guest, target)


def _offers(guest: Guest, target: Host) -> Iterator[str]:
    yield from _lacks("network", guest.networks, target.networks)
    yield from _lacks("storage", guest.storage, target.storage)
    yield from _lacks("device", guest.devices, target.devices)
    for disk in guest.disks:
        if disk.place not in target.images:
            yield f"it has no storage pool at {disk.place} to copy disk {disk.name} into"


def _cores(guest: Guest, target: Host) -> Iterator[str]:
    cores = target.capacity.get(CPU, 0) // THOUSAND
    if guest.allocation.get(VCPUS, 0) > cores:
        yield f"the guest has {guest.allocation[VCPUS]} vCPUs, the host {cores} cores"


def _processor(guest: Guest, source: Host, target: Host) -> Iterator[str]:
    cpu = guest.cpu
    if cpu.mode in AS_THE_HOST and not cpu.model:
        if not source.cpu_model or source.cpu_model != target.cpu_model:
            yield (
                f"CPU mode {cpu.mode} needs the processor of {source.name} "
                f"({source.cpu_model or 'unknown'}), it has {target.cpu_model or 'an unknown one'}"
            )
        yield from _lacks("CPU feature", source.cpu_features, target.cpu_features)
    elif cpu.model and cpu.model not in target.cpu_models:
        yield f"CPU model {cpu.model} is not usable there"
    yield from _lacks("CPU feature", cpu.features, target.cpu_features)


def _emulator(source: Host, target: Host) -> Iterator[str]:
    if not source.qemu_version or not target.qemu_version:
        yield f"the QEMU version of {target.name if source.qemu_version else source.name} is unknown"
    elif target.qemu_version < source.qemu_version:
        yield (
            f"its QEMU {_version(target.qemu_version)} is older than "
            f"{_version(source.qemu_version)} on {source.name}"
        )


def _version(number: int) -> str:
    """Return libvirt's count of a version as people write it: 7002000 is 7.2.0."""
    major, rest = divmod(number, THOUSAND * THOUSAND)
    minor, release = divmod(rest, THOUSAND)
    return f"{major}.{minor}.{release}"


def _lacks(what: str, needed: Sequence[str], offered: Sequence[str]) -> Iterator[str]:
    missing = [name for name in needed if name not in offered]
    if missing:
        yield f"it lacks {what} {', '.join(missing)}"


def _example(problem: Problem, number: int) -> tuple[Guest, Host]:
    guest = as_it_moves(problem, problem.cluster.guests[number])
    return guest, problem.host(problem.home(guest.uuid))


def _kinds(problem: Problem) -> Mapping[object, list[int]]:
    """Return guest numbers by everything that compatibility looks at."""
    kinds: dict[object, list[int]] = defaultdict(list)
    for number in range(len(problem.cluster.guests)):
        guest, source = _example(problem, number)
        allowed = (may_be_emulated(problem, guest), may_be_cold(problem, guest))
        key = (_alike_guest(guest), allowed, _alike_host(source))
        kinds[key].append(number)
    return kinds


def _alike_guest(guest: Guest) -> object:
    return (
        guest.architecture,
        guest.accelerator,
        guest.allocation.get(VCPUS, 0),
        guest.cpu,
        guest.machine,
        guest.networks,
        guest.storage,
        guest.devices,
        tuple((disk.name, disk.place) for disk in guest.disks),
    )


def _alike_host(host: Host) -> object:
    return (
        host.architecture,
        host.accelerators,
        host.capacity.get(CPU, 0),
        host.cpu_models,
        host.cpu_model,
        host.cpu_features,
        host.machines,
        tuple(sorted(host.emulates.items())),
        host.qemu_version,
        host.networks,
        host.storage,
        host.devices,
        tuple(host.images),
    )
