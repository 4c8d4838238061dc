"""libvirt's figures of a finished migration, as what can be learned from them."""

from balancer.adapters.libvirt.figures import passed
from balancer.planner.model.plan import Passed

MIB = 2**20
STATS = {
    "time_elapsed": 12_500, "setup_time": 500, "data_processed": 90 * MIB, "memory_total": 150 * MIB,
    "memory_constant": 70 * 256, "memory_page_size": 4096, "memory_iteration": 4,
    "memory_dirty_rate": 512, "downtime": 120,
}  # fmt: skip


def test_rate_volume_and_dirt_are_told_apart() -> None:
    """12 s of transfer, 80 MiB that were not empty, 2 MiB/s dirtied at the end."""
    assert passed(STATS, plain=True) == Passed(
        seconds=12.0, sent_mib=90.0, first_mib=80.0, rounds=4, dirty_mib_s=2.0, downtime_ms=120
    )


def test_what_is_not_plain_pre_copy_teaches_nothing() -> None:
    """Post-copy, a slowed-down guest; and no figures are no lesson."""
    told = [
        passed(STATS, plain=False),
        passed({**STATS, "auto_converge_throttle": 20}, plain=True),
    ]
    assert [lesson is not None and lesson.teaches for lesson in told] == [False] * 2
    assert passed({}, plain=True) is None
    assert passed({"time_elapsed": "soon", "data_processed": 5}, plain=True) is None


def test_copied_disks_are_told_from_memory() -> None:
    """Of 90 MiB on the wire 60 were disks; never more than all."""
    told = [passed({**STATS, "disk_processed": n * MIB}, plain=True) for n in (60, 600)]
    assert [lesson.disk_mib for lesson in told if lesson] == [60.0, 90.0]
    assert all(lesson.teaches for lesson in told if lesson)
