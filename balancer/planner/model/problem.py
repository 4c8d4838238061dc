"""What a solver and the judge are given: the cluster, its demand, and the policy."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from balancer.planner.model.calibration import UNCALIBRATED, Calibration
from balancer.planner.model.cluster import Cluster, Guest, Host, HostState
from balancer.planner.model.conversation import Conversation
from balancer.planner.model.demand import Demand
from balancer.planner.model.ledger import Ledger
from balancer.planner.model.placement import Occupancy, Placement, at_rest
from balancer.planner.model.plan import Outcome
from balancer.planner.model.policy import Emptying, Pausing, Policy, TakingTurns, Talking
from balancer.planner.model.resize import Resized, What
from balancer.planner.model.resources import CPU, NOTHING, Resources, add
from balancer.planner.model.selector import Selector
from balancer.planner.model.slowness import elsewhere, most, there
from balancer.planner.model.turns import Turn

Value = TypeVar("Value")

HOUR = 3600.0
NOBODY_SLOWER: Mapping[str, int] = {}
UNLABELLED = "(unlabelled)"
"""The domain of every host without the label asked for: nothing is known to separate them."""


@dataclass(frozen=True)
class Problem:
    """One question, complete. Derived look-ups are computed once and kept."""

    cluster: Cluster
    demand: Demand
    policy: Policy
    cooling: frozenset[str] = frozenset()
    """Uuids that moved too recently to be moved again for balance."""
    left: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Hosts that load drove a guest from, too recently for it to go back there, by uuid."""
    settling: bool = False
    """True while the latest moves are so fresh that measurements do not show yet what they did:
    load is then no reason to move anything."""
    relieve: frozenset[str] = frozenset()
    """Hosts the operator asked to relieve."""
    held: Mapping[str, str] = field(default_factory=dict)
    """Uuids of guests to be left alone this time, and why."""
    passing: frozenset[str] = frozenset()
    """Hosts whose load has not lasted yet: it is no reason to take anybody off them."""
    ordered: frozenset[str] = frozenset()
    """Uuids of guests the operator wants moved."""
    barred: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Uuid and host: where a guest must not go this time, and why."""
    before: Mapping[str, str] = field(default_factory=dict)
    """Host by uuid: where guests were before what is to be undone. What was broken then may be
    again."""
    resized: tuple[Resized, ...] = ()
    """What was changed of guests where they are within the last day, oldest first."""
    spent_moves: int = 0
    spent_mib: int = 0
    """What was moved already within the last hour, of the limits for any hour."""
    ended_at: Mapping[str, float] = field(default_factory=dict)
    """When the latest move of a guest ended, seconds since the epoch, by uuid."""
    diverged: Mapping[str, Outcome] = field(default_factory=dict)
    """How its latest migration ended, of guests whose memory was dirtied as fast as it was sent."""
    planner: str = ""
    """Uuid of the guest that the planner runs in; empty where it runs in none of these."""
    at: float = 0.0
    """Time of the observation, seconds since the epoch."""
    calibration: Calibration = UNCALIBRATED
    """What finished migrations taught about rates."""
    trust: float = 1.0
    """Share of a promised saving of waiting that is believed (`model.trust`)."""
    _selected: dict[Selector, tuple[str, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _kept: dict[object, object] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(self, key: object, make: Callable[[], Value]) -> Value:
        """Return what `make` returned the first time `key` was asked for.

        For what a rule derives from the problem alone, so that judging a thousand moves does not
        derive it a thousand times.
        """
        if key not in self._kept:
            self._kept[key] = make()
        return cast(Value, self._kept[key])

    def guests(self, selector: Selector) -> tuple[str, ...]:
        """Return the uuids that `selector` means here, sorted."""
        if selector not in self._selected:
            self._selected[selector] = selector.guests(self.cluster, self.policy.groups)
        return self._selected[selector]

    def hosts(self, selector: Selector) -> tuple[str, ...]:
        """Return the names of the hosts that `selector` means here."""
        return selector.hosts(self.cluster)

    def domain(self, host: str, across: str) -> str:
        """Return the failure domain of `host`: itself for `host`, else its label's value."""
        if across == "host":
            return host
        return self.cluster.host[host].labels.get(across, UNLABELLED)

    @cached_property
    def needs(self) -> Mapping[str, Resources]:
        """What each guest takes of a host, by uuid.

        vCPUs, memory and hugepages as allocated; CPU, disk and network as the demand's peak.
        """
        return {g.uuid: self._need(g) for g in self.cluster.guests}

    def _need(self, guest: Guest) -> Resources:
        peak = self.demand.peak.get(guest.uuid, {})
        return {**peak, **guest.allocation}

    @cached_property
    def loads(self) -> Mapping[str, Resources]:
        """Mean demand by host as guests are placed now: millicores, MiB, KiB/s."""
        sums: dict[str, Resources] = {host.name: {} for host in self.cluster.hosts}
        for guest in self.cluster.guests:
            host = self.cluster.placement[guest.uuid]
            sums[host] = add(sums[host], self.demand.mean.get(guest.uuid, {}))
        return sums

    @property
    def resized_lately(self) -> tuple[Resized, ...]:
        """What was changed of guests where they are within the last hour."""
        return tuple(one for one in self.resized if self.at - one.ended < HOUR)

    @cached_property
    def slower(self) -> Mapping[str, Mapping[str, int]]:
        """Per mille of its CPU here that a guest uses there, by uuid and host, where not the same."""
        return elsewhere(self.cluster, self.calibration, self.policy.forecast.slowdown)

    def on(self, host: str, uuid: str, use: Mapping[str, Resources]) -> Resources:
        """Return what `use` says of a guest, as it would be on that host."""
        amounts = use.get(uuid, NOTHING)
        ratio = self.slower.get(uuid, NOBODY_SLOWER).get(host)
        if ratio is None or CPU not in amounts:
            return amounts
        return {**amounts, CPU: there(amounts[CPU], ratio, most(self.cluster.guest[uuid]))}

    def all_on(
        self, host: str, uuids: Iterable[str], use: Mapping[str, Resources]
    ) -> Iterable[Resources]:
        """Return the same of many guests, quickly where none of them differs by host."""
        if not self.slower:
            return (use.get(uuid, NOTHING) for uuid in uuids)
        return (self.on(host, uuid, use) for uuid in uuids)

    def cpu_on(self, host: str, uuid: str, millicores: int) -> int:
        """Return what a guest that uses so much CPU here uses on that host."""
        return self.on(host, uuid, {uuid: {CPU: millicores}})[CPU]

    def rests(self, uuid: str, what: What) -> bool:
        """True if a setting of a guest was changed so lately that it is left alone."""
        return (uuid, what) in self.once("resting settings", self._resting_settings)

    def _resting_settings(self) -> frozenset[tuple[str, What]]:
        rest = self.policy.limits.resize_again_after
        return frozenset(
            (done.resize.guest, done.resize.what)
            for done in self.resized
            if self.at - done.ended < rest
        )

    def name(self, uuid: str) -> str:
        """Return the guest's name, for sentences."""
        return self.cluster.guest[uuid].name

    def host(self, name: str) -> Host:
        """Return the host of that name."""
        return self.cluster.host[name]

    def rest(self, placement: Placement) -> Ledger:
        """Return the occupancy in which guests rest as in `placement`; to be read, not changed."""
        if placement == self.cluster.placement:
            return self.once("at rest", lambda: Ledger(at_rest(self.cluster.placement)))
        return Ledger(at_rest(placement))

    @cached_property
    def everyone(self) -> tuple[str, ...]:
        """The uuids of all guests, sorted."""
        return tuple(sorted(self.cluster.guest))

    def home(self, uuid: str) -> str:
        """Return the name of the host the guest runs on now."""
        return self.cluster.placement[uuid]

    @cached_property
    def emptied(self) -> frozenset[str]:
        """Hosts that every guest has to leave: draining ones, and those a rule names."""
        draining = {h.name for h in self.cluster.hosts if h.state is HostState.DRAINING}
        named = (r.empties(self) for r in self.policy.constraints if isinstance(r, Emptying))
        return frozenset(draining.union(*named))

    def consented(self, selector: Selector, uuid: str) -> bool:
        """True if the guest is among those that a consent of the policy is given for."""
        return uuid in self.once(("consented", selector), lambda: frozenset(self.guests(selector)))

    def pause_at_most(self, uuid: str) -> int:
        """Return how long the guest may stand still at the end of a migration, milliseconds."""
        return min(self.policy.limits.pause_at_most, self._pauses.get(uuid, 1 << 30))

    def turns(self, uuid: str) -> tuple[Turn, ...]:
        """Return the groups within which this guest takes turns in moving."""
        return self._turns.get(uuid, ())

    @cached_property
    def _turns(self) -> Mapping[str, tuple[Turn, ...]]:
        found: dict[str, tuple[Turn, ...]] = {}
        for rule in self.policy.constraints:
            for turn in rule.turns(self) if isinstance(rule, TakingTurns) else ():
                for uuid in turn.members:
                    found[uuid] = (*found.get(uuid, ()), turn)
        return found

    @cached_property
    def _pauses(self) -> Mapping[str, int]:
        found: dict[str, int] = {}
        for rule in self.policy.constraints:
            if isinstance(rule, Pausing):
                for uuid, most in rule.pauses(self).items():
                    found[uuid] = min(most, found.get(uuid, most))
        return found

    @cached_property
    def conversations(self) -> tuple[Conversation, ...]:
        """Which guests talk to each other, as the policy declares it; none if it acts on repairs alone."""
        if self.policy.repairs_only:
            return ()
        goals = self.policy.objectives
        return tuple(goal.conversation(self) for goal in goals if isinstance(goal, Talking))

    @cached_property
    def receiving(self) -> tuple[str, ...]:
        """Hosts that may be given guests: up, and not to be emptied."""
        return tuple(
            h.name
            for h in self.cluster.hosts
            if h.state is HostState.UP and h.name not in self.emptied
        )

    def holders(
        self, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> Mapping[str, tuple[str, ...]]:
        """Return the uuids that hold resources on each host of `touched` (None: on all), sorted.

        Quick where `occupancy` is a `Ledger`; else the whole of it is read.
        """
        found = self._held_by(occupancy, touched)
        return {name: tuple(sorted(uuids)) for name, uuids in found.items()}

    def _held_by(
        self, occupancy: Occupancy, touched: Collection[str] | None
    ) -> Mapping[str, Collection[str]]:
        """Return what `holders` does, guests in any order."""
        names = list(self.cluster.host) if touched is None else sorted(touched)
        if isinstance(occupancy, Ledger):
            return {name: occupancy.on(name) for name in names}
        found: dict[str, list[str]] = {name: [] for name in names}
        for uuid, hosts in occupancy.items():
            for host in hosts:
                if host in found:
                    found[host].append(uuid)
        return found

    def moved(
        self, occupancy: Occupancy, touched: Collection[str] | None = None
    ) -> Iterable[tuple[str, str]]:
        """Return (uuid, host) wherever a guest holds resources away from home, sorted.

        A guest that others are migrating already is at home on both ends.
        """
        coming, home = self.cluster.in_flight, self.cluster.placement
        away = [
            (uuid, host)
            for host, uuids in self._held_by(occupancy, touched).items()
            for uuid in uuids
            if home[uuid] != host
        ]
        return sorted(pair for pair in away if coming.get(pair[0]) != pair[1])
