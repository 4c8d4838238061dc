"""Only the guests that a plan would move are asked how fast they dirty memory, and it then counts."""

from dataclasses import dataclass, field, replace

import pytest

from balancer.config import Mode, default_policy
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Infeasible, Plan
from balancer.planner.pipeline import plan
from balancer.service.candidates import informed
from balancer.simulator.inventory import SimulatedInventory
from tests.drawing import observation, uuid_of
from tests.service.test_loop import AT_ONCE, HOT, Bench
from tests.worlds import world_of

POLICY = replace(AT_ONCE, limits=replace(AT_ONCE.limits, migration_link_share=1.0))


@dataclass
class Meter:
    """Knows how fast guests dirty memory, and who was asked about."""

    known: dict[str, int]
    asked: list[set[str]] = field(default_factory=list)

    def rates(self, guests):
        self.asked.append(set(guests))
        return {uuid: self.known[uuid] for uuid in guests if uuid in self.known}


@dataclass
class Unmeasured:
    """A simulated cluster that does not tell how fast guests dirty memory."""

    inner: SimulatedInventory

    def observe(self) -> Observation:
        seen = self.inner.observe()
        guests = {
            uuid: (replace(s[-1], values={n: v for n, v in s[-1].values.items() if n != "dirty"}),)
            for uuid, s in seen.history.guests.items()
        }
        return replace(seen, history=replace(seen.history, guests=guests))


def test_what_is_learned_of_candidates_changes_what_their_moves_take() -> None:
    """A plan's guests alone are asked; their moves take longer by what they dirty."""
    seen = observation(HOT)
    first = plan(seen, POLICY)
    assert isinstance(first, Plan)
    movers = {action.guest for action in first.actions}
    meter = Meter(dict.fromkeys(seen.cluster.guest, 40))
    known, then = informed(seen, first, meter, lambda more: plan(more, POLICY))
    assert meter.asked[0] == movers < seen.cluster.guest.keys()
    assert isinstance(then, Plan)
    assert sum(a.predicted.mib for a in then.actions) > sum(a.predicted.mib for a in first.actions)
    assert all(known.history.guests[u][-1].values["dirty"] == 40 for u in movers)


def test_nobody_is_asked_in_vain() -> None:
    """Not without a meter, not without moves, and a plan by which nobody dirties memory stands."""
    seen = observation(HOT)
    first, never = plan(seen, POLICY), Infeasible(reason="it cannot be")

    def again(_: object) -> Plan:
        raise AssertionError

    meter = Meter(dict.fromkeys(seen.cluster.guest, 0))
    assert informed(seen, first, None, again) == (seen, first)
    assert informed(seen, never, meter, again) == (seen, never)
    calm = plan(observation("a 8c/8g : x 1v/1g cpu=0.1"), default_policy())
    assert informed(seen, calm, meter, again) == (seen, calm)
    assert meter.asked == []
    known, same = informed(seen, first, meter, again)
    assert same is first
    assert informed(known, first, meter, again) == (known, first)
    assert len(meter.asked) == 1
    assert informed(seen, first, Meter({}), again) == (seen, first)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.CONFIRM, Mode.AUTO])
def test_the_service_asks_before_it_acts(mode: Mode) -> None:
    """Where it may act; what nobody would act upon is not worth asking."""
    meter = Meter({uuid_of(f"web-{n}"): 2 for n in (1, 2, 3, 4)})
    world = world_of(HOT)
    others = {"dirty": meter, "inventory": Unmeasured(SimulatedInventory(world))}
    Bench(world, mode=mode, others=others).service().turn()
    assert bool(meter.asked) == (mode is not Mode.OBSERVE)
