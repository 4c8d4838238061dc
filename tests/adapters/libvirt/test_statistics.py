"""Rates from counters, and what is not known."""

from hypothesis import given
from hypothesis import strategies as st

from balancer.adapters.libvirt.statistics import Reading, read_guest, read_host, sample

STATS = {
    "cpu.time": 5_000_000_000,
    "vcpu.maximum": 2,
    "vcpu.0.delay": 1_000_000,
    "vcpu.1.delay": 2_000_000,
    "balloon.maximum": 4194304,
    "balloon.current": 2097152,
    "balloon.rss": 1048576,
    "balloon.unused": 524288,
    "balloon.last-update": 1700000000,
    "balloon.available": 2000 * 1024,
    "balloon.usable": 1500 * 1024,
    "balloon.disk_caches": 900 * 1024,
    "balloon.swap_in": 10,
    "balloon.swap_out": 5,
    "net.count": 1,
    "net.0.rx.bytes": 1024,
    "net.0.tx.bytes": 2048,
    "block.count": 2,
    "block.0.rd.bytes": 4096,
    "block.0.wr.bytes": 4096,
    "block.0.rd.reqs": 3,
    "block.0.wr.reqs": 4,
    "block.0.rd.times": 1_000_000,
    "block.0.wr.times": 6_000_000,
    "block.1.path": "/empty",
}


def test_a_guests_statistics():
    """Counters are added up over devices; amounts are MiB."""
    reading = read_guest(STATS, 3)
    assert reading.counters == {
        "cpu": 5_000_000_000, "cpu.delay": 3_000_000, "disk": 8192, "network": 3072,
        "disk.operations": 7, "disk.time": 7_000_000, "swap": 15,
    }  # fmt: skip
    assert reading.amounts == {
        "memory.assigned": 4096, "memory.balloon": 2048, "memory.rss": 1024, "memory.unused": 512,
        "memory.cache": 900, "memory.used": 500,
    }  # fmt: skip
    assert reading.life == 3


def test_what_is_not_said_is_absent():
    """Unknown is never zero; but no devices at all make no traffic."""
    assert read_guest({}, 1) == Reading({}, {}, 1)
    none = read_guest({"block.count": 0}, 1).counters
    assert none == {"disk": 0, "disk.operations": 0, "disk.time": 0}
    old = {"balloon.unused": 1024, "balloon.last-update": 9, "balloon.swap_in": 3}
    assert read_guest(old, 1) == Reading({}, {"memory.unused": 1}, 1)
    assert "disk" not in read_guest({"block.count": 1}, 1).counters
    stale = {"balloon.unused": 10, "balloon.last-update": 0}
    assert read_guest(stale, 1).amounts == {}


def test_a_hosts_statistics():
    """Processor time is what is not idle; memory less what caches would give back."""
    cpu = {"kernel": 10, "user": 20, "idle": 99, "iowait": 5}
    memory = {"total": 8192, "free": 2048, "buffers": 1024, "cached": 1024}
    assert read_host(cpu, memory) == Reading({"cpu": 30}, {"memory.used": 4})
    assert read_host({}, {}) == Reading({}, {})


@given(st.integers(0, 10**15), st.integers(0, 10**12), st.integers(1, 600))
def test_rates_are_growth_over_time(start, grown, seconds):
    """Millicores are ns of processor time per second, less six zeros; traffic is KiB/s."""
    before = Reading({"cpu": start, "disk": start}, {}, 1)
    now = Reading({"cpu": start + grown, "disk": start + grown}, {}, 1)
    values = sample(before, now, seconds, 0.0).values
    assert values == {
        "cpu": round(grown / seconds / 10**6),
        "disk": round(grown / seconds / 1024),
    }


def test_no_rate_where_counters_began_anew():
    """A counter that fell, a new life of the domain, a first look: unknown, never negative."""
    before, now = Reading({"cpu": 10**9}, {}, 1), Reading({"cpu": 5}, {"memory.rss": 7}, 1)
    assert sample(before, now, 1.0, 9.0).values == {"memory.rss": 7}
    grown = Reading({"cpu": 10**10}, {}, 2)
    assert sample(before, grown, 1.0, 9.0).values == {}
    assert sample(None, now, 1.0, 9.0).window == 0.0
    assert sample(before, Reading({"cpu": 10**10}, {}, 1), 0.0, 9.0).values == {}
    assert sample(Reading({}, {}, 1), now, 1.0, 9.0).values == {"memory.rss": 7}


def test_latency_is_time_over_operations() -> None:
    """Microseconds an operation took; unknown where none was finished. Swap is KiB/s."""
    before = Reading({"disk.operations": 10, "disk.time": 10**6, "swap": 100}, {}, 1)
    now = Reading({"disk.operations": 30, "disk.time": 5 * 10**6, "swap": 700}, {}, 1)
    assert sample(before, now, 2.0, 0.0).values == {
        "disk.operations": 10, "disk.latency": 200, "swap": 300,
    }  # fmt: skip
    idle = Reading({"disk.operations": 10, "disk.time": 10**6, "swap": 100}, {}, 1)
    assert sample(before, idle, 2.0, 0.0).values == {"disk.operations": 0, "swap": 0}
