"""One migration and what can become of it, with hypervisors in memory."""

import threading
from dataclasses import replace
from time import monotonic

import libvirt
import pytest

from balancer.adapters.libvirt import aftermath, copying
from balancer.adapters.libvirt import execution as execution_module
from balancer.adapters.libvirt.connection import Connections
from balancer.adapters.libvirt.disks import WholeDisk
from balancer.adapters.libvirt.execution import LibvirtExecution, Patience
from balancer.planner.model.plan import Migration, Prediction, Result, Rung, RungKind
from balancer.ports import ABANDONED, Begun
from tests.adapters.libvirt.fakes import ARRIVING, OUT, FakeHost, arrives, error

ACTION = Migration(
    id="1",
    guest="1b4e28ba-2fa1-11d2-883f-0016d3cca427",
    name="web-1",
    source="a",
    target="b",
    rate_kib_s=100 * 1024,
    downtime_ms=300,
    predicted=Prediction(seconds=1, seconds_p90=2, mib=64, downtime_ms=50),
)
QUICK = Patience(stalled_after=0.2, factor=0.0, least=5.0, settling=0.3, poll=0.01)
FOLLOW = Rung(kind=RungKind.POST_COPY, risk="it may be lost")
GONE = error(libvirt.VIR_ERR_NO_DOMAIN)


@pytest.fixture
def run(configs, clock):
    """Carry the action out with these hosts; returns the execution."""

    def start(patience=QUICK):
        given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
        return LibvirtExecution(ACTION, *given, clock, patience=patience)

    return start


def ended(execution):
    deadline = monotonic() + 10
    while (outcome := execution.outcome()) is None:
        assert monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)
    return outcome


def test_done(run, hosts):
    """Asked as the plan says, measured by the target, autostart carried over."""
    hosts["a"].add(_autostart=1)
    hosts["a"].migrate = arrives(hosts["b"])
    execution = run()
    outcome = ended(execution)
    assert (outcome.result, outcome.reason) == (Result.DONE, "")
    assert (outcome.mib, outcome.downtime_ms) == (64, 42)
    ((uri, parameters, flags),) = hosts["a"].asked
    assert uri == "qemu+tls://b.mig/system"
    assert parameters == {"bandwidth": 100, "migrate_uri": "tcp://b-mig"}
    assert flags & libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    (domain,) = hosts["b"].domains
    assert domain.autostart() == 1
    assert execution.action is ACTION


def test_what_libvirt_failed_to_define_is_put_right(run, hosts):
    """Error 69: the guest has moved all the same; it is defined there and no longer here."""
    domain = hosts["a"].add()

    def half(_domain):
        domain.active = False
        hosts["b"].add(persistent=False)
        raise error(libvirt.VIR_ERR_MIGRATE_PERSIST_FAILED, "cannot persist")

    hosts["a"].migrate = half
    outcome = ended(run())
    assert outcome.result is Result.DONE
    assert outcome.reason == (
        "libvirt had not defined it on b: done; libvirt had left it defined on a: undone"
    )
    assert hosts["a"].domains == []
    assert hosts["b"].domains[0].persistent


def test_what_cannot_be_put_right_is_said(run, hosts):
    """It has moved; its definition needs a look."""
    hosts["a"].add()
    hosts["b"].failing["defineXML"] = error(1, "disk full")
    hosts["a"].migrate = arrives(hosts["b"], persistent=False)
    outcome = ended(run())
    assert (outcome.result, outcome.reason) == (
        Result.DONE,
        "its definition needs a look on b (disk full)",
    )


def test_a_transient_guest_is_defined_nowhere(run, hosts):
    """And statistics that are not to be had are no fault."""
    hosts["a"].add(persistent=False)
    hosts["a"].migrate = arrives(hosts["b"], persistent=False, completed=error(1))
    outcome = ended(run())
    assert (outcome.result, outcome.mib, outcome.downtime_ms) == (Result.DONE, 0, None)
    assert not hosts["b"].domains[0].persistent


def test_refused(run, hosts):
    """The guest stays; the reason is libvirt's, explained."""
    hosts["a"].add()

    def refuse(_domain):
        raise error(libvirt.VIR_ERR_MIGRATE_UNSAFE, "Unsafe migration")

    hosts["a"].migrate = refuse
    outcome = ended(run())
    assert outcome.result is Result.FAILED
    assert outcome.reason.startswith("libvirt calls it unsafe")


def test_not_there_at_all(run):
    """Neither end knows it: lost, with the reason."""
    outcome = ended(run())
    assert outcome.result is Result.LOST
    assert outcome.reason.startswith("it runs on neither a nor b (it is not on a any more")


@pytest.fixture
def moving(hosts):
    """A migration under way that ends only by an abort; sent bytes are set by the test."""
    domain = hosts["a"].add(job={**OUT, "data_processed": 1 << 20, "data_remaining": 3 << 20})
    hosts["b"].add(now=ARRIVING)

    def migrate(_domain):
        assert hosts["a"].aborted.wait(10)
        domain.job = {"type": 0}
        hosts["b"].domains.clear()
        raise error(libvirt.VIR_ERR_OPERATION_ABORTED, "canceled by client")

    hosts["a"].migrate = migrate
    return domain


@pytest.mark.usefixtures("moving")
def test_progress_and_abort(run):
    """Progress is of the bytes known; an abort's reason is the outcome's."""
    execution = run(replace(QUICK, stalled_after=9))
    while not execution.progress().mib_sent:
        threading.Event().wait(0.005)
    progress = execution.progress()
    assert (progress.fraction, progress.mib_sent, progress.mib_left) == (0.25, 1, 3)
    execution.abort("enough")
    outcome = ended(execution)
    assert (outcome.result, outcome.reason, outcome.mib) == (Result.ABORTED, "enough", 1)
    execution.abort("too late")
    assert execution.outcome() is outcome


@pytest.mark.usefixtures("moving")
def test_a_stall(run):
    """No byte for the time set: aborted, and noted while it lasts."""
    execution = run()
    while not execution.progress().note:
        threading.Event().wait(0.005)
    outcome = ended(execution)
    assert (outcome.result, outcome.reason) == (Result.STALLED, "no data for 0 s: aborted")


@pytest.mark.usefixtures("moving")
def test_the_time_limit(run):
    """What takes longer than predicted by far is ended."""
    outcome = ended(run(Patience(least=0.05, factor=0.0, settling=1, poll=0.01)))
    assert outcome.result is Result.ABORTED
    assert outcome.reason == "not done in 0 s (2 s predicted at worst): aborted"


def test_a_late_downtime(run, moving):
    """Old libvirt takes the limit only once the migration runs."""
    moving.set_early = False
    moving.job, running = {"type": 0}, moving.job
    execution = run(replace(QUICK, stalled_after=9))
    threading.Event().wait(0.05)
    assert moving.downtime == 0
    moving.job = running
    while not moving.downtime:
        threading.Event().wait(0.005)
    execution.abort("seen")
    assert ended(execution).result is Result.ABORTED


@pytest.mark.usefixtures("moving")
def test_a_source_that_says_nothing_more(run, hosts):
    """After an abort without effect it is not claimed to be anywhere."""
    hosts["a"].failing["lookupByUUIDString"] = error(38, "End of file while reading data")
    hosts["b"].failing["lookupByUUIDString"] = error(38, "End of file while reading data")
    outcome = ended(run())
    assert outcome.result is Result.LOST
    assert outcome.reason.startswith("it cannot be told where it runs (a: unknown, b: unknown")
    hosts["a"].aborted.set()


def test_both_run(run, hosts):
    """The worst case is named at once."""
    hosts["a"].add()
    hosts["a"].migrate = lambda domain: hosts["b"].add(uuid=domain.uuid)
    outcome = ended(run())
    assert outcome.result is Result.LOST
    assert outcome.reason == "it runs on a and on b: stop one copy at once"


def test_a_source_that_dies_after_the_move(run, hosts):
    """The target runs it: it is done, whatever the call said."""
    hosts["a"].add()

    def die(domain):
        arrives(hosts["b"])(domain)
        hosts["a"].failing["lookupByUUIDString"] = error(38, "End of file")
        raise error(38, "End of file while reading data")

    hosts["a"].migrate = die
    outcome = ended(run())
    assert outcome.result is Result.DONE
    assert outcome.left_behind == (
        "a did not answer: undefine the guest there before it is started a second time",
    )


@pytest.fixture
def follow(configs, clock):
    """Follow what another planner began with these hosts; returns the execution."""

    patience = replace(QUICK, arriving=0.1)

    def start(**was):
        given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
        begun = Begun(plan="P-1", action=ACTION, at=5.0, **was)
        return LibvirtExecution(ACTION, *given, clock, patience=patience, begun=begun)

    return start


def test_what_another_began_is_followed_until_it_arrives(follow, hosts):
    """Nothing is asked of libvirt but to look; what the guest was is kept; figures are read."""
    domain = hosts["a"].add(job={**OUT, "data_processed": 1 << 20, "data_remaining": 3 << 20})
    shell = hosts["b"].add(now=ARRIVING)
    execution = follow(autostart=True)
    threading.Event().wait(0.3)
    assert execution.outcome() is None
    hosts["a"].domains.remove(domain)
    hosts["b"].domains.remove(shell)
    arrived = hosts["b"].add(persistent=False)
    outcome = ended(execution)
    assert (outcome.result, outcome.started) == (Result.DONE, 5.0)
    assert outcome.reason == "libvirt had not defined it on b: done"
    assert arrived.autostart() == 1
    assert hosts["a"].asked == hosts["b"].asked == []


def test_what_another_only_announced_is_abandoned(follow, hosts):
    """It rests on its source: after a moment's grace that is the answer."""
    hosts["a"].add()
    begin = monotonic()
    outcome = ended(follow())
    assert monotonic() - begin >= 0.1
    assert (outcome.result, outcome.reason) == (Result.ABORTED, ABANDONED)


def test_what_another_began_and_hangs_is_given_up(follow, moving, hosts):
    """It is watched for stalls as our own is."""
    threading.Thread(target=lambda: ended_by_abort(moving, hosts), daemon=True).start()
    outcome = ended(follow())
    assert outcome.result is Result.STALLED
    assert hosts["a"].domains


def ended_by_abort(domain, hosts):
    assert hosts["a"].aborted.wait(10)
    domain.job = {"type": 0}
    hosts["b"].domains.clear()


def test_what_another_began_from_a_host_that_is_no_more_configured(configs, clock):
    """It cannot be told; that is said, and nothing hangs."""
    given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
    gone = replace(ACTION, source="z")
    begun = Begun(plan="P-1", action=gone, at=5.0)
    outcome = ended(LibvirtExecution(gone, *given, clock, patience=QUICK, begun=begun))
    assert outcome.result is Result.LOST
    assert "it cannot be told how it ended" in outcome.reason


def test_a_guest_that_somebody_took_elsewhere_is_not_lost(configs, clock, hosts):
    """It runs on a third host: the move failed, the guest did not."""
    domain = hosts["a"].add()
    known = configs(answer_within=0.5)
    hosts["c"] = FakeHost("c")
    known = (*known, replace(known[0], name="c", uri="fake://c"))

    def taken(_domain):
        hosts["a"].domains.remove(domain)
        hosts["c"].add()
        raise error(libvirt.VIR_ERR_NO_DOMAIN, "no domain")

    hosts["a"].migrate = taken
    given = [Connections(known, read_only=False) for _ in range(2)]
    outcome = ended(LibvirtExecution(ACTION, *given, clock, patience=QUICK))
    assert (outcome.result, outcome.reason) == (Result.FAILED, "somebody else moved it to c")


def test_a_stall_is_called_so_when_time_runs_out_first(run, moving):
    """The time limit ended it, but that nothing passed is why."""
    assert moving
    outcome = ended(run(replace(QUICK, stalled_after=2.0, least=0.8)))
    assert outcome.result is Result.STALLED


@pytest.fixture
def post_copy(configs, clock):
    """Carry the action out where post-copy is allowed, switching early."""

    def start(**patience):
        given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
        quick = replace(QUICK, **({"least": 0.4, "stalled_after": 1.0} | patience))
        followed = replace(ACTION, rungs=(FOLLOW,))
        return LibvirtExecution(followed, *given, clock, patience=quick)

    return start


def test_post_copy_is_switched_to_and_never_aborted(post_copy, hosts):
    """Half of its time over, libvirt is asked once; an abort after that does nothing."""
    domain = hosts["a"].add(job={**OUT, "data_processed": 1 << 20, "data_remaining": 3 << 20})
    hosts["b"].add(now=ARRIVING)
    switched, go_on = [], threading.Event()

    def switch():
        switched.append(1)

    def migrate(_domain):
        assert go_on.wait(10)
        hosts["a"].domains.remove(domain)
        hosts["b"].domains.clear()
        hosts["b"].add()

    domain.migrateStartPostCopy = switch
    hosts["a"].migrate = migrate
    execution = post_copy()
    threading.Event().wait(0.6)
    execution.abort("the operator stopped it")
    threading.Event().wait(0.1)
    assert not hosts["a"].aborted.is_set()
    go_on.set()
    assert ended(execution).result is Result.DONE
    assert switched == [1]


def test_post_copy_that_stands_still_says_how_to_mend_it(post_copy, hosts, moving):
    """Both copies are left; the exact command is there."""
    moving.migrateStartPostCopy = lambda: None
    outcome = ended(post_copy())
    assert outcome.result is Result.LOST
    assert "touch neither copy" in outcome.reason
    assert (
        "virsh -c fake://a migrate --live --p2p --postcopy --postcopy-resume "
        f"{ACTION.guest} qemu+tls://b.mig/system --migrateuri tcp://b-mig"
    ) in outcome.reason
    assert not hosts["a"].aborted.is_set()
    hosts["a"].aborted.set()


def test_where_libvirt_refuses_to_switch_the_time_limit_holds(post_copy, hosts, moving):
    """It is ended as without post-copy."""
    moving.migrateStartPostCopy = lambda: (_ for _ in ()).throw(error(1, "not now"))
    outcome = ended(post_copy())
    assert outcome.result in (Result.ABORTED, Result.STALLED)
    assert hosts["a"].aborted.is_set()


@pytest.fixture
def climb(configs, clock):
    """Carry the action out with these rungs; bytes pass all the time."""

    def start(*rungs, look_again=lambda _: "", **patience):
        given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
        quick = replace(QUICK, **({"least": 0.6, "stalled_after": 40.0} | patience))
        action = replace(ACTION, rungs=rungs)
        return LibvirtExecution(action, *given, clock, patience=quick, look_again=look_again)

    return start


def test_bandwidth_and_pause_are_raised_while_it_runs(climb, moving):
    """More bandwidth as far as there is room, then a longer pause; each is told once."""
    speeds = []
    moving.migrateSetMaxSpeed = speeds.append
    more = Rung(kind=RungKind.BANDWIDTH, rate_kib_s=400 * 1024)
    longer = Rung(kind=RungKind.DOWNTIME, downtime_ms=900)
    execution = climb(more, longer, least=0.6)
    execution.room(500 * 1024)
    outcome = ended(execution)
    assert (moving.downtime, speeds) == (900, [400])
    assert outcome.result is Result.ABORTED
    assert outcome.steps == ("bandwidth up to 400 MiB/s", "pause up to 900 ms")
    assert "tried: bandwidth up to 400 MiB/s, pause up to 900 ms" in outcome.reason


SLOWED = Rung(kind=RungKind.AUTO_CONVERGE, risk="slows it down")


def anew(hosts, domain):
    """Let a second call, after an abort of the first, arrive on b."""
    calls = []

    def migrate(_domain):
        calls.append(1)
        if len(calls) > 1:
            arrives(hosts["b"])(_domain)
            return
        assert hosts["a"].aborted.wait(10)
        domain.job = {"type": 0}
        hosts["b"].domains.clear()
        raise error(libvirt.VIR_ERR_OPERATION_ABORTED, "canceled by client")

    hosts["a"].migrate = migrate


def test_auto_converge_begins_anew(climb, moving, hosts):
    """Aborted, seen at rest on its source, looked at again, and begun with the flag."""
    anew(hosts, moving)
    looked = []
    execution = climb(SLOWED, look_again=lambda action: looked.append(action) or "")
    outcome = ended(execution)
    assert (outcome.result, outcome.steps) == (Result.DONE, ("begun anew with auto-converge",))
    first, second = (flags for _, _, flags in hosts["a"].asked)
    assert second ^ first == libvirt.VIR_MIGRATE_AUTO_CONVERGE
    assert len(looked) == 1


def test_what_speaks_against_it_by_then_ends_it(climb, moving, hosts):
    """It rests on its source, with the reason."""
    anew(hosts, moving)
    outcome = ended(climb(SLOWED, look_again=lambda _: "b is full", least=5.0))
    assert (outcome.result, outcome.reason) == (
        Result.ABORTED,
        "it was not begun anew: b is full",
    )
    assert len(hosts["a"].asked) == 1


def test_where_an_abort_is_refused_it_goes_on_as_it_was(climb, moving, hosts):
    """Nothing is begun anew; the time limit holds."""
    moving.abortJob = lambda: (_ for _ in ()).throw(error(1, "no"))
    execution = climb(SLOWED, least=0.4)
    deadline = monotonic() + 5
    while not execution.progress().steps and monotonic() < deadline:
        threading.Event().wait(0.005)
    assert execution.progress().steps == ("begun anew with auto-converge refused (no)",)
    del moving.abortJob
    assert ended(execution).result is not Result.DONE
    assert len(hosts["a"].asked) == 1


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        (lambda b: b.add(now=ARRIVING), "b still holds the shell of it"),
        (lambda b: b.add(active=False), "b has a definition of it too"),
        (
            lambda b: b.failing.update(lookupByUUIDString=error(38, "End of file")),
            "b did not answer",
        ),
        (lambda _b: None, ""),
    ],
)
def test_what_is_left_at_the_target_is_reported_and_not_touched(
    run, hosts, monkeypatch, leave, said
):
    """A failed move leaves its guest where it was; what else there is, somebody should look at."""
    monkeypatch.setattr(aftermath, "GOING", 0.1)
    hosts["a"].add()

    def refuse(_domain):
        leave(hosts["b"])
        raise error(1, "no")

    hosts["a"].migrate = refuse
    outcome = ended(run())
    left = list(hosts["b"].domains)
    assert outcome.result is Result.FAILED
    assert "".join(outcome.left_behind).startswith(said)
    assert bool(outcome.left_behind) is bool(said)
    assert hosts["b"].domains == left


def test_autostart_is_as_it_was_both_ways(run, hosts):
    """Also where the target kept another from before."""
    hosts["a"].add(_autostart=0)
    hosts["a"].migrate = arrives(hosts["b"], _autostart=1)
    assert ended(run()).result is Result.DONE
    assert hosts["b"].domains[0].autostart() == 0


def test_what_will_not_be_as_it_was_is_said(run, hosts):
    """A target that forgets what it is told."""
    hosts["a"].add(_autostart=1)
    hosts["a"].migrate = arrives(hosts["b"], setAutostart=lambda _on: None)
    assert "it is not as it was" in ended(run()).reason


def test_an_abort_without_effect_is_not_waited_for_for_ever(climb, moving, hosts):
    """What cannot be ended so as to begin anew is given up; where the guest is decides."""
    moving.abortJob = lambda: None
    execution = climb(SLOWED, least=0.3, settling=0.2)
    outcome = ended(execution)
    assert outcome.result is not Result.DONE
    assert len(hosts["a"].asked) == 1
    hosts["a"].aborted.set()


class Disks:
    """What an execution does about the disks that go along, written down."""

    def __init__(self, monkeypatch, *, clear=(), left=()):
        self.done = []
        copy = copying.Copy(WholeDisk("vda", "/vm/x", "/vm", "x", "raw"), 4096)
        monkeypatch.setattr(execution_module, "to_copy", lambda _domain, _names: (copy,))
        for name, result in (
            ("make", None),
            ("unmake", None),
            ("clear", clear),
            ("left_over", left),
        ):
            monkeypatch.setattr(execution_module, name, self._note(name, result))

    def _note(self, name, result):
        def call(host, *_):
            self.done.append((name, host.getHostname()))
            return result

        return call


ALONG = replace(ACTION, copies=("vda",))


@pytest.fixture
def take_along(configs, clock):
    """Carry out the action with a disk that is copied; `begun` by another planner."""

    def start(begun=None):
        given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
        patience = replace(QUICK, stalled_after=60.0, arriving=0.05)
        return LibvirtExecution(ALONG, *given, clock, patience=patience, begun=begun)

    return start


def test_old_copies_go_once_the_guest_has_arrived(take_along, hosts, monkeypatch):
    """Made before, removed where it was; what is kept there is said, and nothing is learned."""
    disks = Disks(monkeypatch, clear=("/vm/x (busy)",))
    hosts["a"].add()
    hosts["a"].migrate = arrives(hosts["b"])
    outcome = ended(take_along())
    assert outcome.result is Result.DONE
    assert disks.done == [("make", "b"), ("clear", "a")]
    assert outcome.mib == 64
    assert outcome.left_behind == ("a keeps its old copy /vm/x (busy)",)
    (_, parameters, flags) = hosts["a"].asked[0]
    assert parameters["migrate_disks"] == ["vda"]
    assert flags & libvirt.VIR_MIGRATE_NON_SHARED_DISK


def test_what_was_made_goes_where_the_guest_stayed(take_along, hosts, monkeypatch):
    """And only that."""
    disks = Disks(monkeypatch)
    hosts["a"].add()

    def refuse(_domain):
        raise error(libvirt.VIR_ERR_OPERATION_INVALID, "no")

    hosts["a"].migrate = refuse
    assert ended(take_along()).result is Result.FAILED
    assert disks.done == [("make", "b"), ("unmake", "b")]


def test_what_another_planner_made_is_only_told(take_along, hosts, monkeypatch):
    """Whose it is cannot be known any more."""
    disks = Disks(monkeypatch, left=("/vm/x",))
    hosts["a"].add()
    begun = Begun(plan="P", action=ALONG, at=0.0)
    outcome = ended(take_along(begun))
    assert (outcome.reason, disks.done) == (ABANDONED, [("left_over", "b")])
    assert outcome.left_behind == (
        "b has /vm/x, likely an unfinished copy: remove it if nobody needs it",
    )


@pytest.mark.parametrize("gone", [True, False])
def test_while_it_is_not_clear_nothing_is_removed(take_along, hosts, monkeypatch, *, gone):
    """Neither copy, where the guest is nowhere or a host cannot say."""
    disks = Disks(monkeypatch)
    hosts["a"].add()

    def vanish(domain):
        domain.host.domains.remove(domain)
        if not gone:
            hosts["b"].add()
            monkeypatch.setattr(
                execution_module, "clear", lambda *_: (_ for _ in ()).throw(error(1, "odd"))
            )

    hosts["a"].migrate = vanish
    (told,) = ended(take_along()).left_behind
    words = "there may be a copy of its disks on each host" if gone else "(odd)"
    assert words in told
    assert disks.done == [("make", "b")]


def test_several_disks_share_the_rate_until_memory_goes(configs, clock, hosts, monkeypatch):
    """A half for each of two, all of it for memory."""
    Disks(monkeypatch)
    domain = hosts["a"].add(job={**OUT, "memory_processed": 1, "data_processed": 1})
    speeds = []
    domain.migrateSetMaxSpeed = speeds.append
    hosts["a"].migrate = lambda _domain: hosts["a"].aborted.wait(5)
    given = [Connections(configs(answer_within=0.5), read_only=False) for _ in range(2)]
    two = replace(ALONG, copies=("vda", "vdb"))
    execution = LibvirtExecution(two, *given, clock, patience=QUICK)
    deadline = monotonic() + 5
    while not speeds and monotonic() < deadline:
        threading.Event().wait(0.005)
    execution.abort("enough")
    ended(execution)
    assert speeds == [100]
    assert hosts["a"].asked[0][1]["bandwidth"] == 50
