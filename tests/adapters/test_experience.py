"""What the journal teaches: learned once, then only from what is new."""

from dataclasses import replace

from balancer.adapters.experience import JournalExperience
from balancer.adapters.stand_in import MemoryJournal
from balancer.planner.model.calibration import UNCALIBRATED
from balancer.service import telling
from tests.planner.test_calibrate import moved, posed


def test_each_move_teaches_once() -> None:
    """Read twice, known once; what is damaged or old teaches nothing."""
    journal = MemoryJournal()
    experience = JournalExperience(journal)
    assert experience.known(100.0) == UNCALIBRATED
    outcome = moved(posed(), 600, 0, 1)
    event = telling.ended("P-1", outcome)
    journal.write(event)
    known = experience.known(100.0)
    assert known.setup.jobs == 1
    assert experience.known(101.0) == known
    later = replace(outcome, ended=outcome.ended + 1)
    journal.write(telling.ended("P-2", later))
    assert experience.known(102.0).setup.jobs == 2
    spoilt = {"outcome": {"passed": {"seconds": "many"}}}
    journal.write(replace(event, plan="P-3", at=later.ended, data=spoilt))
    assert experience.known(103.0).setup.jobs == 2
    assert JournalExperience(journal).known(10**8) == UNCALIBRATED
