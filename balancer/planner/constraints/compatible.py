"""Whether a guest can run on another host at all. What is not known to fit does not."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from balancer.planner.formulation import Formulation
from balancer.planner.model.cluster import Guest, Host
from balancer.planner.model.placement import Occupancy
from balancer.planner.model.problem import Problem
from balancer.planner.model.resources import CPU, VCPUS
from balancer.planner.model.violation import Violation

AS_THE_HOST = ("host-passthrough", "host-model", "maximum")
"""CPU modes in which a guest without a named model sees its host's own processor."""
THOUSAND = 1000


@dataclass(frozen=True, kw_only=True)
class Compatible:
    """A guest moves only where processor, machine type, QEMU, networks, storage and devices fit.

    Always in force. Staying is always allowed.
    """

    hard: ClassVar[bool] = True

    name: str = ""

    @property
    def label(self) -> str:
        """What the operator calls it."""
        return self.name or "compatible"

    def concerns(self, problem: Problem) -> tuple[str, ...]:
        """Return every guest."""
        return problem.everyone

    def post(self, formulation: Formulation) -> None:
        """Forbid what does not fit, once for all guests and hosts that are alike."""
        problem = formulation.problem
        hosts: dict[object, list[int]] = defaultdict(list)
        for number, host in enumerate(problem.cluster.hosts):
            hosts[_alike_host(host)].append(number)
        for members in _kinds(problem).values():
            guest, source = _example(problem, members[0])
            barred = [
                number
                for numbers in hosts.values()
                if _objection(guest, source, problem.cluster.hosts[numbers[0]])
                for number in numbers
            ]
            formulation.forbid(members, sorted(barred), self.label, spare_start=True)

    def violations(
        self, problem: Problem, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> tuple[Violation, ...]:
        """Return each guest that is away from home where it does not fit."""
        found: list[Violation] = []
        for uuid, host in problem.moved(occupancy, touched):
            guest, source = problem.cluster.guest[uuid], problem.host(problem.home(uuid))
            if reason := why_not(guest, source, problem.host(host)):
                found.append(
                    Violation(
                        rule=self.label,
                        subject=f"{guest.name} on {host}",
                        amount=1,
                        sentence=f"{guest.name} cannot run on {host}: {reason}",
                        guests=(uuid,),
                    )
                )
        return tuple(found)


def why_not(guest: Guest, source: Host, target: Host) -> str:
    """Return why `guest`, running on `source`, cannot run on `target`; empty if it can.

    One phrase for the operator, of the first thing that does not fit. Unknown means no.
    """
    return "" if source.name == target.name else _objection(guest, source, target)


def _objection(guest: Guest, source: Host, target: Host) -> str:
    """Return the same for a target that is like `target`, but not the source itself."""
    return next(_objections(guest, source, target), "")


def _objections(guest: Guest, source: Host, target: Host) -> Iterator[str]:
    if guest.architecture != target.architecture:
        yield f"it is {target.architecture}, the guest {guest.architecture}"
    if guest.accelerator not in target.accelerators:
        yield f"it has no {guest.accelerator}"
    cores = target.capacity.get(CPU, 0) // THOUSAND
    if guest.allocation.get(VCPUS, 0) > cores:
        yield f"the guest has {guest.allocation[VCPUS]} vCPUs, the host {cores} cores"
    yield from _processor(guest, source, target)
    if guest.machine and guest.machine not in target.machines:
        yield f"machine type {guest.machine} is unknown there"
    yield from _emulator(source, target)
    yield from _lacks("network", guest.networks, target.networks)
    yield from _lacks("storage", guest.storage, target.storage)
    yield from _lacks("device", guest.devices, target.devices)


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
    guest = problem.cluster.guests[number]
    return guest, problem.host(problem.home(guest.uuid))


def _kinds(problem: Problem) -> Mapping[object, list[int]]:
    """Return guest numbers by everything that compatibility looks at."""
    kinds: dict[object, list[int]] = defaultdict(list)
    for number in range(len(problem.cluster.guests)):
        guest, source = _example(problem, number)
        kinds[_alike_guest(guest), _alike_host(source)].append(number)
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
        host.qemu_version,
        host.networks,
        host.storage,
        host.devices,
    )
