"""Stand-ins keep their side of the ports."""

from balancer.adapters.stand_in import MemoryJournal, UncontestedLease
from balancer.ports import Event


def test_the_journal_in_memory_filters_as_the_durable_one_does() -> None:
    """By time and by kind, oldest first."""
    journal = MemoryJournal()
    events = [Event(at=float(n), kind=kind) for n, kind in enumerate(("decided", "ended", "note"))]
    for event in events:
        journal.write(event)
    assert journal.read() == tuple(events)
    assert journal.read(since=1.0, kinds=["decided", "ended"]) == (events[1],)


def test_an_uncontested_lease_is_always_to_be_had() -> None:
    """Taking it twice and giving it up thrice is harmless."""
    lease = UncontestedLease()
    lease.acquire()
    lease.acquire()
    lease.release()
