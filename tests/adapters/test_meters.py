"""The service's own metrics say what the journal says."""

import socket
from urllib.request import urlopen

import pytest

from balancer.adapters.meters import Meters
from balancer.ports import Event, UsageError


def outcome(result: str, **fields: object) -> Event:
    told = {
        "action": {"predicted": {"seconds": 10.0}},
        "result": result, "started": 0.0, "ended": 12.0, "mib": 100, "downtime_ms": 50, **fields,
    }  # fmt: skip
    return Event(at=12.0, kind="ended", data={"outcome": told})


def value(meters: Meters, name: str, **labels: str) -> float | None:
    return meters.registry.get_sample_value(f"balancer_{name}", labels)


def test_moves_are_counted_by_how_they_end() -> None:
    """With bytes, predicted and real length, and pause of those that arrived."""
    meters = Meters()
    assert value(meters, "moves_total", outcome="lost") == 0
    for event in (outcome("done"), outcome("done", downtime_ms=None), outcome("failed")):
        meters.hear(event)
    assert value(meters, "moves_total", outcome="done") == 2
    assert value(meters, "moves_total", outcome="failed") == 1
    assert value(meters, "moved_bytes_total") == 300 * 2**20
    assert value(meters, "move_seconds_total") == 24
    assert value(meters, "move_predicted_seconds_total") == 20
    assert value(meters, "move_pause_seconds_count") == 1
    assert value(meters, "move_duration_ratio_sum") == pytest.approx(2.4)


def test_a_cycle_tells_how_it_went() -> None:
    """Stages, errors of forecast, quality of data, and the states of the service."""
    meters = Meters()
    data = {
        "seconds": {"look": 2.0, "plan": 1.0, "act": 0.0}, "guests": 10, "unknown": 1,
        "score": {"median": 0.02, "worst": 0.1, "hosts": 4}, "hot": {"a": 1.0}, "unseen": {},
        "doubts": ["so", "so"], "frozen": "", "blocked": "no room", "stood_back": "", "trust": 0.8,
    }  # fmt: skip
    meters.hear(Event(at=99.0, kind="cycle", data=data))
    assert value(meters, "cycle_seconds_sum", stage="look") == 2
    assert value(meters, "last_cycle_timestamp_seconds") == 99
    assert value(meters, "forecast_error_ratio", statistic="worst") == 0.1
    assert value(meters, "guests", data="known") == 9
    assert value(meters, "hosts_hot") == 1
    assert value(meters, "data_doubts") == 2
    assert (value(meters, "blocked"), value(meters, "frozen")) == (1, 0)
    assert value(meters, "model_trust_ratio") == 0.8


def test_promises_halts_notices_and_the_journal_are_told() -> None:
    """What was promised and realised; that the service stopped itself; that writing failed."""
    meters = Meters()
    promise = {"promised": 100.0, "realised": -5.0}
    meters.hear(Event(at=0.0, kind="realised", data={"promise": promise}))
    meters.hear(Event(at=0.0, kind="halted"))
    meters.told("finished", well=False)
    meters.kept(0.002, well=True)
    meters.kept(0.5, well=False)
    assert value(meters, "waiting_promised_seconds_total") == 100
    assert value(meters, "waiting_realised_seconds") == -5
    assert value(meters, "halts_total") == 1
    assert value(meters, "notifications_total", notice="finished", outcome="failed") == 1
    assert value(meters, "journal_write_seconds_count") == 1
    assert value(meters, "journal_write_failures_total") == 1
    assert value(meters, "journal_up") == 0


@pytest.mark.parametrize("kind", ["cycle", "ended", "realised", "measured"])
def test_strange_events_disturb_nobody(kind: str) -> None:
    """A journal of another version is no reason to stop."""
    Meters().hear(Event(at=0.0, kind=kind, data={"outcome": 3, "seconds": 4, "promise": []}))


def test_they_are_served_and_a_port_in_use_is_one_sentence() -> None:
    """Over HTTP, in Prometheus's own format."""
    meters = Meters()
    port = meters.serve("127.0.0.1", 0)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert 'balancer_moves_total{outcome="done"} 0.0' in text
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(
            UsageError, match=r"cannot be served on .*: Address already in use; choose"
        ):
            meters.serve("127.0.0.1", taken.getsockname()[1])
