"""One cold move and what can become of it, with hypervisors in memory."""

import threading
from dataclasses import replace
from time import monotonic

import pytest

from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.executor import LibvirtExecutor
from balancer.adapters.libvirt.restarting import ColdExecution, Waits
from balancer.planner.model.plan import Result
from balancer.ports import ABANDONED, Begun
from tests.adapters.libvirt.fakes import FakeDomain, error
from tests.adapters.libvirt.test_execution import ACTION

QUICK = Waits(
    shutting_down=0.3, lingering=0.3, starting=0.5, settling=0.1, arriving=0.01, poll=0.005
)
COLD = replace(ACTION, cold=True)


class Guest(FakeDomain):
    """One that can be shut down and started."""

    deaf = False
    broken = ""

    def shutdown(self):
        self.host.asked.append("shutdown")
        if "shutdown" in self.host.failing:
            raise self.host.failing["shutdown"]
        self.active = self.deaf

    def create(self):
        assert not any(d.active for h in self.world.values() for d in h.domains), "it runs twice"
        if self.broken:
            raise error(1, self.broken)
        self.active = True


@pytest.fixture
def world(hosts):
    """Hosts on which a definition becomes a guest that can be started; one runs on a."""
    for host in hosts.values():

        def define(_xml, host=host):
            if not any(d.uuid == COLD.guest for d in host.domains):
                add(host, active=False)

        host.defineXML = define

    def add(host, **known):
        guest = Guest(host, world=hosts, broken=getattr(host, "broken", ""), **known)
        host.domains.append(guest)
        return guest

    hosts["a"].put = lambda **known: add(hosts["a"], **known)
    hosts["b"].put = lambda **known: add(hosts["b"], **known)
    return hosts


@pytest.fixture
def run(configs, clock):
    def start(begun=None, waits=QUICK):
        connections = Connections(configs(answer_within=0.5), read_only=False)
        return ColdExecution(COLD, connections, clock, waits=waits, begun=begun)

    return start


def ended(execution):
    deadline = monotonic() + 10
    while (outcome := execution.outcome()) is None:
        assert monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.002)
    return outcome


def standing(world):
    """Return what each host knows: running, off or nothing."""
    return {
        name: ["running" if d.active else "off" for d in host.domains]
        for name, host in world.items()
    }


def test_down_here_and_up_there(run, world):
    """Defined there alone, starting by itself as before; nothing was sent and nothing is learned."""
    world["a"].put(_autostart=1)
    execution = run()
    outcome = ended(execution)
    assert (outcome.result, outcome.reason, outcome.left_behind) == (Result.DONE, "", ())
    assert (outcome.mib, outcome.passed) == (0, None)
    assert standing(world) == {"a": [], "b": ["running"]}
    assert world["b"].domains[0].autostart() == 1
    assert execution.action is COLD
    execution.room(1)
    execution.hasten(1)
    assert execution.progress().note == "starting on b"


@pytest.mark.parametrize("broken", ["", "no such CPU"])
def test_what_does_not_start_there_starts_here_again(run, world, broken):
    """Whether it cannot be defined or not be started; nothing of it is left there."""
    world["a"].put(_autostart=1)
    world["b"].broken = broken
    if not broken:
        world["b"].failing["defineXML"] = error(1, "disk full")
    outcome = ended(run())
    assert outcome.result is Result.FAILED
    assert outcome.reason == (
        f"it did not start on b ({broken}): started again on a"
        if broken
        else "it could not be defined on b (disk full): started again on a"
    )
    assert standing(world) == {"a": ["running"], "b": []}
    assert world["a"].domains[0].autostart() == 1


def test_one_that_starts_nowhere_is_reported_with_what_to_do(run, world):
    """It is off, and said to be; no host loses its definition."""
    world["a"].broken = "no memory"
    world["a"].put()
    world["b"].broken = "no CPU"
    outcome = ended(run())
    assert outcome.result is Result.LOST
    assert "it does not start on a again (no memory)" in outcome.reason
    assert outcome.reason.endswith(f"virsh -c fake://a start {COLD.guest}")
    assert standing(world) == {"a": ["off"], "b": []}


def test_one_that_does_not_shut_down_runs_on(run, world):
    """Its power is never cut."""
    world["a"].put(deaf=True, _autostart=1)
    outcome = ended(run())
    assert (outcome.result, outcome.reason) == (
        Result.ABORTED,
        "it did not shut down within 0 s",
    )
    assert standing(world) == {"a": ["running"], "b": []}
    assert world["a"].domains[0].autostart() == 1


def test_one_that_goes_off_late_is_started_where_it_was(run, world):
    """It was given up by then."""
    guest = world["a"].put(deaf=True)
    execution = run(waits=replace(QUICK, shutting_down=0.02, lingering=5.0))
    while execution.progress().note != "does not shut down":
        threading.Event().wait(0.002)
    guest.active = False
    outcome = ended(execution)
    assert outcome.result is Result.ABORTED
    assert outcome.reason.endswith("started again on a")
    assert standing(world) == {"a": ["running"], "b": []}


def test_aborted_while_it_shuts_down_it_is_started_where_it_was(run, world):
    """What was asked cannot be taken back."""
    guest = world["a"].put(deaf=True)
    execution = run(waits=replace(QUICK, shutting_down=5.0))
    while "shutdown" not in world["a"].asked:
        threading.Event().wait(0.002)
    execution.abort("enough")
    guest.active = False
    outcome = ended(execution)
    assert (outcome.result, outcome.reason) == (Result.ABORTED, "enough: started again on a")


def test_what_cannot_be_asked_is_left_alone(run, world):
    """Not there, defined nowhere, or refusing."""
    assert ended(run()).result is Result.FAILED
    guest = world["a"].put(persistent=False)
    assert "gone for good" in ended(run()).reason
    guest.persistent, guest._autostart = True, 1
    world["a"].failing["shutdown"] = error(1, "no agent")
    outcome = ended(run())
    assert outcome.reason == "it cannot be asked to shut down (no agent)"
    assert (outcome.result, guest.autostart()) == (Result.FAILED, 1)


def test_a_host_that_does_not_answer_gets_no_second_copy(run, world):
    """Off here; there it may have started: that is for somebody to look at."""
    world["a"].put()
    world["b"].failing["lookupByUUIDString"] = error(1, "hung")
    outcome = ended(run())
    assert outcome.result is Result.FAILED
    assert outcome.reason == "b does not answer: started again on a"
    begun = Begun(plan="P", action=COLD, at=0.0)
    world["a"].domains[0].active = False
    lost = ended(run(begun))
    assert lost.result is Result.LOST
    assert "b does not answer; where it runs on neither a nor b, start it: virsh -c" in lost.reason
    assert standing(world)["a"] == ["off"]


@pytest.mark.parametrize(
    ("here", "there", "result", "left"),
    [
        (False, None, Result.DONE, {"a": [], "b": ["running"]}),
        (False, False, Result.DONE, {"a": [], "b": ["running"]}),
        (False, True, Result.DONE, {"a": [], "b": ["running"]}),
        (None, True, Result.DONE, {"a": [], "b": ["running"]}),
        (True, None, Result.ABORTED, {"a": ["running"], "b": []}),
        (True, False, Result.ABORTED, {"a": ["running"], "b": ["off"]}),
        (True, True, Result.LOST, {"a": ["running"], "b": ["running"]}),
        (None, False, Result.LOST, {"a": [], "b": ["off"]}),
        (None, None, Result.LOST, {"a": [], "b": []}),
    ],
)
def test_whatever_was_left_is_brought_to_its_end(run, world, here, there, result, left):
    """None: not known there; else whether it runs. It is never started where the other may run it."""
    for name, runs in (("a", here), ("b", there)):
        if runs is not None:
            world[name].put(active=runs)
    outcome = ended(run(Begun(plan="P", action=COLD, at=0.0, autostart=True)))
    assert (outcome.result, standing(world)) == (result, left)
    if result is Result.ABORTED:
        assert outcome.reason == ABANDONED
    if result is not Result.LOST:
        running = next(d for h in world.values() for d in h.domains if d.active)
        assert running.autostart() == 1


def test_a_definition_that_stays_behind_is_told(run, world, monkeypatch):
    """It could be started a second time."""
    world["a"].put()

    def stuck(_self, _flags):
        raise error(1, "locked")

    monkeypatch.setattr(Guest, "undefineFlags", stuck)
    (told,) = ended(run()).left_behind
    assert told.startswith("a still has a definition of it: undefine it there")


def test_the_executor_takes_cold_moves(configs, clock, world):
    """Its look leaves out processor and QEMU, which are new there; it begins and follows them."""
    world["a"].put()
    executor = LibvirtExecutor(configs(), clock, waits=QUICK)
    world["b"].getVersion = lambda: 6_000_000
    assert "older" in executor.look_again(ACTION)
    assert executor.look_again(COLD) == ""
    world["a"].domains[0].persistent = False
    assert "gone for good" in executor.look_again(COLD)
    world["a"].domains[0].persistent = True
    assert ended(executor.start(COLD)).result is Result.DONE
    again = executor.follow(Begun(plan="P", action=COLD, at=0.0))
    assert ended(again).result is Result.DONE
    executor.close()
