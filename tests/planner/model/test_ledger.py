"""Who holds what, indexed both ways."""

from hypothesis import given
from hypothesis import strategies as st

from balancer.planner.model.ledger import Ledger

SIZES = {"x": 1, "y": 2, "z": 4}
HOSTS = st.lists(st.sampled_from("abc"), min_size=1, max_size=2)


@given(st.lists(st.tuples(st.sampled_from("xyz"), HOSTS)))
def test_both_readings_stay_equal(changes: list[tuple[str, list[str]]]) -> None:
    """By guest and by host, whatever was put, and a twin changes apart."""
    ledger = Ledger(dict.fromkeys("xyz", ("a",)))
    first = ledger.twin()
    for guest, hosts in changes:
        ledger.sum_on(hosts[0], SIZES)
        both = ledger.twin()
        ledger.put(guest, *hosts)
        assert both.sum_on("a", SIZES) == sum(SIZES[g] for g in both if "a" in both[g])
    plain = dict(ledger)
    for host in "abcd":
        assert sorted(ledger.on(host)) == sorted(g for g in plain if host in plain[g])
        assert ledger.sum_on(host, SIZES) == sum(SIZES[g] for g in plain if host in plain[g])
    assert first == dict.fromkeys("xyz", ("a",))
    assert [first.sum_on(host, SIZES) for host in "ab"] == [7, 0]
    assert sorted(first.on("a")) == ["x", "y", "z"]
