"""Whatever fails, every guest runs exactly once, the journal tells the truth, and the next cycle
completes: one row for each fault that hypervisors, networks, people and planners were seen to have.

A guest must leave h1. The fault strikes while it is on its way, is mended, and `in_order` judges.
Killed planners are in test_recovery.py, claims of two of them in test_owner.py.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from balancer.adapters import clock as wall
from balancer.adapters.libvirt.execution import POST_COPY
from balancer.adapters.libvirt.preflight import leaving, unfit
from balancer.planner.model.plan import Action, Result
from balancer.ports import Refused, UsageError
from balancer.service import abort, turn

from .binding import libvirt
from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import Operator
from .planner import Planner, Turn, in_order, until
from .test_main_job import hosts_of

LEAVE = '[limits]\nat_once_total = 1\nmigration_link_share = "100%"\nat_once_per_host = 1\n[[avoid]]\nguests = "*"\nhosts = "h1"\n'
LINK = {"link": "1Gbit"}
SLOW = 40
"""Mbit/s at which 32 MiB take several seconds: long enough to be struck."""

Start = Callable[..., Planner]


@pytest.fixture
def start(lab: Laboratory, tmp_path: Path) -> Iterator[Start]:
    """Makes planners, each with a state folder of its own."""
    made: list[Planner] = []

    def planner(
        policy: str = LEAVE, folder: Path = tmp_path, host: Any = None, **patience: float
    ) -> Planner:
        folder.mkdir(exist_ok=True)
        all_ = {name: LINK | (host or {}) for name in lab.hosts}
        operator = Operator(lab, folder).configure(policy, **all_)
        made.append(Planner(operator, **patience))
        return made[-1]

    yield planner
    for each in made:
        each.close()


def slow(lab: Laboratory, mbit: float | None = SLOW) -> None:
    for host in lab.hosts.values():
        host.shape(mbit)


@dataclass(frozen=True)
class Struck:
    """A move on its way."""

    lab: Laboratory
    planner: Planner
    action: Action

    @property
    def source(self) -> Any:
        return self.lab[self.action.source]

    @property
    def target(self) -> Any:
        return self.lab[self.action.target]


def abort_it(on: Struck) -> None:
    on.planner.flying[0].abort("the operator stopped it")


def abort_from_elsewhere(on: Struck) -> None:
    (outcome,) = abort(on.planner.ports, "the operator stopped it")
    assert outcome.result is Result.ABORTED, outcome


def abort_behind_its_back(on: Struck) -> None:
    on.source.connection().lookupByUUIDString(on.action.guest).abortJob()


def source_libvirtd_dies(on: Struck) -> None:
    on.source.kill_libvirtd()
    on.source.restart_libvirtd()


@dataclass(frozen=True)
class Fault:
    """One row of the table."""

    strike: Callable[[Struck], object]
    result: Result | tuple[Result, ...]
    says: str
    mend: Callable[[Struck], object] = lambda _: None
    soak: bool = False


ABORTED = "somebody else aborted it|its transfer to h[23] broke off"
"""libvirt does not always know better."""
FAULTS = {
    "aborted": Fault(abort_it, Result.ABORTED, "the operator stopped it"),
    "aborted by the verb": Fault(abort_from_elsewhere, Result.FAILED, ABORTED, soak=True),
    "aborted by somebody": Fault(abort_behind_its_back, Result.FAILED, ABORTED, soak=True),
    "target's libvirtd dies": Fault(
        lambda on: on.target.kill_libvirtd(),
        Result.FAILED,
        "the connection to h[23] broke",
        lambda on: on.target.restart_libvirtd(),
        soak=True,
    ),
    "target's QEMU dies": Fault(
        lambda on: on.target.kill_guest(on.action.name),
        Result.FAILED,
        "its QEMU died on h[23]|the connection to h[23] broke|its transfer to h[23] broke off",
    ),
    "source's libvirtd dies": Fault(source_libvirtd_dies, Result.FAILED, "", soak=True),
    "migration link is cut": Fault(
        lambda on: on.target.cut("mig"),
        Result.STALLED,
        r"no data for \d+ s",
        lambda on: on.target.mend("mig"),
    ),
    "management link is cut": Fault(
        lambda on: on.target.cut("mgmt"),
        Result.FAILED,
        "the connection to h[23] broke",
        lambda on: on.target.mend("mgmt"),
        soak=True,
    ),
    "target loses power": Fault(
        lambda on: on.target.power_off(),
        (Result.FAILED, Result.STALLED),
        "",
        soak=True,
    ),
}


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=name, marks=[pytest.mark.soak] if fault.soak else [])
        for name, fault in FAULTS.items()
    ],
)
def test_a_fault_in_mid_transfer(lab: Laboratory, start: Start, fault: Fault) -> None:
    """The guest stays where it was, the outcome says what broke, and the next cycle moves it."""
    lab.boot(GuestSpec("mover", load=Load(set=32)))
    slow(lab)
    planner = start()
    going = planner.begin()
    on = Struck(lab, planner, planner.under_way())
    fault.strike(on)
    (outcome,) = going.over()
    results = fault.result if isinstance(fault.result, tuple) else (fault.result,)
    assert outcome.result in results, outcome
    assert re.search(fault.says, outcome.reason), outcome
    assert hosts_of(lab) == {"mover": "h1"}
    fault.mend(on)
    slow(lab, None)
    report = in_order(planner)
    assert [o.action.name for o in report.outcomes] == ["mover"]
    assert hosts_of(lab)["mover"] != "h1"


def test_the_source_loses_power(lab: Laboratory, start: Start) -> None:
    """Its guest is lost with it and said to be; nobody starts it anywhere, then or later."""
    lab.boot(GuestSpec("fallen", load=Load(set=32)), GuestSpec("bystander", host="h2"))
    slow(lab)
    planner = start()
    going = planner.begin()
    planner.under_way()
    lab["h1"].power_off()
    (outcome,) = going.over()
    assert outcome.result is Result.LOST, outcome
    slow(lab, None)
    in_order(planner, lost=["fallen"])
    lab["h1"].power_on()
    in_order(planner, lost=["fallen"])
    assert len(planner.events("started")) == 1


def pair(lab: Laboratory, start: Start, **more: Any) -> tuple[Planner, Turn, Action]:
    """Two guests that leave one after the other; return with the first on its way."""
    lab.boot(*(GuestSpec(f"pair-{n}", load=Load(set=32)) for n in (1, 2)))
    slow(lab)
    planner = start(**more)
    going = planner.begin()
    return planner, going, planner.under_way()


def other(action: Action) -> str:
    return {"pair-1": "pair-2", "pair-2": "pair-1"}[action.name]


def test_a_human_moves_a_guest_meanwhile(lab: Laboratory, start: Start) -> None:
    """What was planned for it is dropped, the first move is finished, nobody moves it back."""
    planner, going, first = pair(lab, start)
    slow(lab, None)
    second = lab.guest(other(first))
    second.migrate("h3")
    done, refused = sorted(going.over(), key=lambda o: o.result is Result.REFUSED)
    assert (done.action.name, done.result) == (first.name, Result.DONE), done
    assert refused.result is Result.REFUSED, refused
    assert f"{second.name} is not on h1 any more" in refused.reason
    report = in_order(planner, by_others=[second.name])
    assert not report.outcomes
    assert second.running_on() == ["h3"]


@pytest.mark.soak
def test_a_human_is_moving_a_guest_when_its_turn_comes(lab: Laboratory, start: Start) -> None:
    """A second job on it is not tried; the human's goes on, the rest of the plan is done."""
    planner, going, first = pair(lab, start)
    second = lab.guest(other(first))
    uri, to = second.host().uri, lab["h3"]
    human = subprocess.Popen(
        [*("virsh", "-q", "-c", uri, "migrate", "--live", "--p2p", "--persistent"),
         *("--undefinesource", "--bandwidth=2", f"--migrateuri=tcp://{to.migration_address}"),
         *(f"--domain={second.uuid}", f"--desturi={to.peer_uri}")]
    )  # fmt: skip
    until(
        lambda: second.domain().jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE, what="for the human"
    )
    for name in {"h1", first.target}:
        lab[name].shape(400)
    done, refused = sorted(going.over(), key=lambda o: o.result is Result.REFUSED)
    assert (done.action.name, done.result) == (first.name, Result.DONE), done
    assert refused.reason == f"{second.name}: it is being migrated"
    slow(lab, None)
    assert human.wait(60) == 0
    assert not in_order(planner, by_others=[second.name]).outcomes
    assert second.running_on() == ["h3"]


@pytest.mark.soak
def test_a_target_is_gone_before_its_turn(lab: Laboratory, start: Start) -> None:
    """Where a host cannot be asked nothing is started; the guest goes elsewhere in the next cycle."""
    lab.boot(GuestSpec("mover"))
    planner = start()
    made = planner.plan()
    (action,) = made.actions
    looks = planner.executor.look_again

    def dies_first(which: Action) -> str:
        lab[action.target].power_off()
        return str(looks(which))

    planner.executor.look_again = dies_first
    (refused,) = planner.begin(made).over()
    planner.executor.look_again = looks
    assert refused.result is Result.REFUSED, refused
    assert refused.reason.startswith(f"{action.target}: "), refused
    assert not planner.events("started")
    in_order(planner)
    assert hosts_of(lab)["mover"] == ({"h2", "h3"} - {action.target}).pop()


@pytest.mark.soak
def test_a_guest_is_shut_down_meanwhile(lab: Laboratory, start: Start) -> None:
    """By its owner, between the start of the plan and its own: the rest of the plan goes on."""
    planner, going, first = pair(lab, start)
    slow(lab, None)
    lab.guest(other(first)).domain().destroy()
    done, refused = sorted(going.over(), key=lambda o: o.result is Result.REFUSED)
    assert (done.action.name, done.result) == (first.name, Result.DONE), done
    assert refused.result is Result.REFUSED, refused
    in_order(planner, lost=[other(first)])


@pytest.mark.soak
def test_a_guest_is_shut_down_in_mid_transfer(lab: Laboratory, start: Start) -> None:
    """It is reported as gone, and nobody starts it again; nothing more is started on that plan."""
    planner, going, first = pair(lab, start)
    lab.guest(first.name).domain().destroy()
    ended = {o.action.name: o for o in going.over()}
    assert ended[first.name].result is Result.LOST, ended
    assert "it runs on neither" in ended[first.name].reason
    assert ended[other(first)].result is Result.REFUSED
    slow(lab, None)
    in_order(planner, lost=[first.name])


def test_the_target_is_filled_between_plan_and_apply(lab: Laboratory, start: Start) -> None:
    """A plan that was good is refused once others have taken the room, and a new one is made."""
    tight = {"capacity": {"memory": "256MiB", "cpu": 2}}
    lab.boot(GuestSpec("mover", load=Load(set=16)))
    planner = start(host=tight)
    made = planner.plan()
    target = made.actions[0].target
    rest = ({"h2", "h3"} - {target}).pop()
    lab.boot(*(GuestSpec(f"squatter-{n}", host=target) for n in (1, 2)))
    with pytest.raises(Refused, match=f"not safe any more.*{target}"):
        planner.begin(made).over()
    assert not planner.events("started")
    in_order(planner)
    assert hosts_of(lab)["mover"] == rest


@pytest.mark.soak
def test_a_processor_that_no_target_has(lab: Laboratory, start: Start) -> None:
    """A plan made before its guest got that processor is refused; the look before a start asks
    the target itself; the guest stays, and others move."""
    lab.boot(GuestSpec("modern"), GuestSpec("plain"))
    planner = start()
    made = planner.plan()
    lab.guest("modern").destroy()
    lab.boot(GuestSpec("modern", cpu_model="Skylake-Server"))
    with pytest.raises(Refused, match=r"modern cannot run on h[23]: CPU model Skylake-Server"):
        planner.begin(made).over()
    domain = lab.guest("modern").domain()
    runs = leaving(lab["h1"].connection(), domain, 131_072)
    assert unfit(lab["h2"].connection(), runs) == "", "emulated, it lacks what h2 lacks"
    real = replace(runs, cpu=runs.cpu.replace("disable", "require"))
    assert unfit(lab["h2"].connection(), real) == "it cannot give the guest the CPU that it has"
    planner = start(LEAVE.replace('"*"', '"plain"'))
    in_order(planner)
    after = hosts_of(lab)
    assert (after["modern"], after["plain"] == "h1") == ("h1", False)


def test_a_processor_that_one_target_lacks(lab: Laboratory, start: Start) -> None:
    """Nobody knew when the plan was made: the look before the start says no to that pair alone,
    the rest of the plan goes on, and the next cycle takes the guest to the other host."""
    lab.boot(GuestSpec("modern", cpu_model="Westmere", load=Load(set=8)), GuestSpec("plain"))
    planner = start()
    made = planner.plan()
    (target,) = (action.target for action in made.actions if action.name == "modern")
    lab[target].lose_cpu_feature("aes")  # Westmere has it, and the guest was started with it
    ended = {o.action.name: o for o in planner.begin(made).over()}
    assert (ended["modern"].result, ended["plain"].result) == (Result.REFUSED, Result.DONE), ended
    no = f"modern cannot run on {target}: it cannot give the guest the CPU that it has"
    assert ended["modern"].reason == no
    assert hosts_of(lab)["modern"] == "h1"
    (told,) = planner.events("refused")
    assert no in told.text
    (again,) = in_order(planner).outcomes
    assert (again.action.name, again.action.target) == ("modern", ({"h2", "h3"} - {target}).pop())
    assert "h1" not in hosts_of(lab).values()


BUSY = GuestSpec("busy", load=Load(set=32, dirty=20))
ALLOWED = "[allow]\npost_copy = true\n"


@pytest.mark.parametrize("post_copy", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_a_guest_that_never_converges(lab: Laboratory, start: Start, *, post_copy: bool) -> None:
    """It is left where it is; where the policy allows post-copy, it arrives by that."""
    lab.boot(BUSY)
    slow(lab, 100 if post_copy else SLOW)  # the first round must pass before any risk is taken
    planner = start(LEAVE + ALLOWED * post_copy, least=14 if post_copy else 4, factor=0.1)
    (outcome,) = planner.begin().over()
    assert outcome.result is (Result.DONE if post_copy else Result.ABORTED), outcome
    assert ("switched to post-copy" in outcome.steps) is post_copy, outcome
    assert (hosts_of(lab)["busy"] == "h1") is not post_copy
    lab.guest("busy").set_load(dirty=0)
    slow(lab, None)
    in_order(planner)
    assert hosts_of(lab)["busy"] != "h1"


@pytest.mark.soak
def test_post_copy_is_cut_and_healed(lab: Laboratory, start: Start) -> None:
    """Both copies are left alone until the link is mended and the rest of the memory arrives."""
    lab.boot(BUSY)
    slow(lab, 100)
    planner = start(LEAVE + ALLOWED, least=14, factor=0.1)
    going = planner.begin()
    on = Struck(lab, planner, planner.under_way(0))
    domain = on.source.connection().lookupByUUIDString(on.action.guest)
    until(lambda: tuple(domain.state()) in POST_COPY, what="for post-copy")
    on.target.cut("mig")
    (outcome,) = going.over()
    assert outcome.result is Result.LOST, outcome
    assert "touch neither copy" in outcome.reason
    assert f"--postcopy-resume {on.action.guest}" in outcome.reason
    assert set(lab.guest("busy").whereabouts()) == {on.action.source, on.action.target}
    on.target.mend("mig")
    slow(lab, None)
    until(lambda: list(lab.guest("busy").whereabouts()) == [on.action.target], 90)
    in_order(planner)


@contextlib.contextmanager
def tiny_disk(folder: Path) -> Iterator[Callable[..., None]]:
    """Put a file system of one MiB there; what is given fills it up, or makes room again."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "lab-tiny", folder], check=True)

    def fill(*, full: bool) -> None:
        ballast = folder / "ballast"
        ballast.unlink(missing_ok=True)
        if full:
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))

    try:
        yield fill
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("moving", [pytest.param(False, marks=pytest.mark.soak), True])
def test_the_disk_of_the_journal_is_full(
    lab: Laboratory, start: Start, tmp_path: Path, *, moving: bool
) -> None:
    """What cannot be journalled is not begun; what is in flight is followed, and told of later."""
    with tiny_disk(tmp_path / "state") as fill:
        if moving:
            planner, going, _ = pair(lab, start, folder=tmp_path / "state")
            fill(full=True)
            slow(lab, None)
        else:
            lab.boot(GuestSpec("mover", load=Load(set=16)))
            planner = start(folder=tmp_path / "state")
            made = planner.plan()
            fill(full=True)
            going = planner.begin(made)
        with pytest.raises(UsageError, match=r"journal.*is full: free some space"):
            going.over()
        left = sorted(hosts_of(lab).values())
        assert left.count("h1") == 1, "the one that was not begun"
        assert len(left) == 1 + moving
        fill(full=False)
        assert len(planner.events("started")) == moving
        in_order(planner)
        assert "h1" not in hosts_of(lab).values()


class Jumping:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.time() + self.ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Died(BaseException):
    """The planner is no more; what it began goes on."""


def die(_: object) -> None:
    raise Died


@pytest.mark.parametrize("days", [40, pytest.param(-40, marks=pytest.mark.soak)])
@pytest.mark.parametrize("dies", [False, pytest.param(True, marks=pytest.mark.soak)])
def test_the_clock_jumps(
    lab: Laboratory, start: Start, monkeypatch: pytest.MonkeyPatch, days: int, *, dies: bool
) -> None:
    """In mid-transfer, its planner alive or dead: it is followed to its end, once, all the same."""
    clock = Jumping()
    monkeypatch.setattr(wall, "WallClock", lambda: clock)
    lab.boot(GuestSpec("mover", load=Load(set=32)))
    slow(lab)
    planner = start()
    made = planner.plan()
    if dies:
        with monkeypatch.context() as patch:
            patch.setattr(turn._Run, "_end_what_has", die)
            with pytest.raises(Died):
                planner.begin(made).over()
    else:
        going = planner.begin(made)
    until(planner.moving, what="for a move to begin")
    clock.ahead = days * 86_400
    slow(lab, None)
    if not dies:
        (outcome,) = going.over()
        assert outcome.result is Result.DONE, outcome
    in_order(planner)
    assert len(planner.events("started")) == 1
    assert hosts_of(lab)["mover"] != "h1"
