"""What a host of another architecture makes of a guest is measured as it moves, and remembered."""

from dataclasses import replace
from pathlib import Path

from balancer.adapters.experience import JournalExperience
from balancer.adapters.stand_in import MemoryJournal
from balancer.codec import as_data
from balancer.planner.model.calibration import Calibration
from balancer.planner.model.observation import History, Observation
from balancer.planner.model.plan import Migration, Outcome, Result
from balancer.ports import Event
from balancer.service.lessons import lesson
from balancer.service.slowdowns import shown, using_now
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from tests.drawing import NOON, observation, uuid_of
from tests.worlds import plan_of, world_of

SCENARIO = Path(__file__).resolve().parents[2] / "simulations" / "architectures.toml"
GUEST = "arch=aarch64 accelerator=qemu machine=virt"


def drawn(cpu: float, host: str) -> str:
    """Return the text of a guest that uses so many cores on `arm` or on `intel`."""
    x = f" x 4v/1g cpu={cpu} {GUEST}"
    arm, intel = (x, "") if host == "arm" else ("", x)
    return f"arm 8c/8g arch=aarch64 :{arm}\nintel 8c/8g emulates=aarch64 :{intel}"


def seen(cpu: float, host: str, *, later: float = 0.0) -> Observation:
    """Return one look at it."""
    return observation(drawn(cpu, host), NOON + later)


def journal_of(cpu: float, way: tuple[str, str], result: Result = Result.DONE) -> MemoryJournal:
    """Return the journal of one move, begun at noon and ended a minute later."""
    before, plan = seen(cpu, way[0]), plan_of(world_of(drawn(cpu, way[0])), f"x {way[0]} {way[1]}")
    (action,) = plan.actions
    assert isinstance(action, Migration)
    journal = MemoryJournal()
    kept = {"plan": as_data(plan), **using_now(before, plan)}
    journal.write(Event(NOON, "decided", plan.id, data=kept))
    outcome = Outcome(action=action, result=result, started=NOON, ended=NOON + 60)
    data = {"outcome": as_data(outcome)}
    journal.write(Event(NOON + 60, "ended", plan.id, action.id, uuid_of("x"), data=data))
    return journal


def known(journal: MemoryJournal) -> Calibration:
    return JournalExperience(journal).known(NOON + 3600)


def told(journal: MemoryJournal, now: Observation) -> list[float]:
    """Write down what this look shows; return the ratios."""
    events = list(shown(now, journal))
    for event in events:
        journal.write(event)
    return [float(str(event.data["ratio"])) for event in events]


def test_an_arrival_shows_the_ratio_once_and_it_is_learned() -> None:
    """Not before it was measured there alone; one way as the other."""
    journal = journal_of(1.2, ("arm", "intel"))
    assert told(journal, seen(1.3, "intel", later=70)) == []
    assert told(journal, seen(3.0, "intel", later=300)) == [2.5]
    assert told(journal, seen(3.0, "intel", later=600)) == []
    assert known(journal).slowdowns["aarch64"]["x86_64"].value == 2.5
    assert lesson(known(journal)).sentence.startswith("no migration has taught yet")
    back = journal_of(3.0, ("intel", "arm"))
    assert told(back, seen(1.5, "arm", later=300)) == [2.0]


def test_what_tells_no_ratio_teaches_none() -> None:
    """All vCPUs busy, nearly idle, never arrived, gone elsewhere since, no data; nothing to cross."""
    way = ("arm", "intel")
    assert told(journal_of(1.2, way), seen(4.0, "intel", later=300)) == []
    assert told(journal_of(0.01, way), seen(2.0, "intel", later=300)) == []
    failed = journal_of(1.2, way, Result.FAILED)
    assert told(failed, seen(3.0, "intel", later=300)) == []
    assert told(journal_of(1.2, way), seen(3.0, "arm", later=300)) == []
    unmeasured = replace(seen(3.0, "intel", later=300), history=History())
    assert told(journal_of(1.2, way), unmeasured) == []
    text = "a 8c/8g : x 4v/1g cpu=1\nb 8c/8g :"
    alike = observation(text)
    assert using_now(alike, plan_of(world_of(text), "x a b")) == {}
    assert told(journal_of(1.2, way), alike) == []


def test_an_event_of_another_version_teaches_nothing() -> None:
    """It is passed over."""
    journal = MemoryJournal()
    journal.write(Event(NOON, "slowed", data={"guest": "aarch64"}))
    assert known(journal).slowdowns == {}


def test_what_the_first_shows_decides_about_those_that_follow() -> None:
    """Two more would fit one host by the policy's guess; by what was learned only one does."""
    simulation = Simulation(load_scenario(SCENARIO))
    simulation.run()
    ratios = [e.data["ratio"] for e in simulation.journal.read(0, ("slowed",))]
    assert ratios[0] == 2.5
    home = simulation.world.placement
    assert home[uuid_of("builder-1")] != home[uuid_of("builder-2")] != home[uuid_of("builder-3")]
    learned = JournalExperience(simulation.journal).known(simulation.world.now)
    assert "aarch64 uses 2.50 times the CPU on x86_64" in lesson(learned).sentence
