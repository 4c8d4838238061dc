"""What the presets of other exporters make of series that bear those exporters' names."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import pytest

from balancer.adapters.prometheus import Prometheus
from balancer.config.prometheus import read_prometheus
from balancer.config.reading import Table
from balancer.planner.model.cluster import Cluster, Guest, Host

from .programs import found, free_port, running

NAME = "instance-1"
"""Of both guests: it is their hosts, or their uuids, that tell them apart."""
ONE, TWO = (str(uuid5(NAMESPACE_DNS, host)) for host in ("kvm1", "kvm2"))
CLUSTER = Cluster(
    tuple(Host(name=name, capacity={}) for name in ("kvm1", "kvm2")),
    tuple(Guest(uuid=uuid, name=NAME, allocation={}) for uuid in (ONE, TWO)),
    {ONE: "kvm1", TWO: "kvm2"},
)
KIB, MIB = 2**10, 2**20
Series = tuple[str, str, float | None, float | None]
"""Name after `libvirt_`, labels beside the guest's, and what the two guests have: what a counter
(`…_total`, `swap_…`) grows by in a second, else the level; None where there is no such series."""

COMMON: tuple[Series, ...] = (
    ("domain_info_cpu_time_seconds_total", "", 0.5, 1.5),
    ("domain_info_maximum_memory_bytes", "", 4096 * MIB, 8192 * MIB),
    ("domain_info_memory_usage_bytes", "", 3072 * MIB, 7168 * MIB),
    ("domain_block_stats_read_bytes_total", 'target_device="vda"', 100 * KIB, 10 * KIB),
    ("domain_block_stats_read_bytes_total", 'target_device="vdb"', 50 * KIB, None),
    ("domain_block_stats_write_bytes_total", 'target_device="vda"', 20 * KIB, 5 * KIB),
    ("domain_block_stats_read_requests_total", 'target_device="vda"', 30, 4),
    ("domain_block_stats_write_requests_total", 'target_device="vda"', 20, 6),
    ("domain_interface_stats_receive_bytes_total", 'target_device="vnet0"', 7 * KIB, KIB),
    ("domain_interface_stats_transmit_bytes_total", 'target_device="vnet0"', 3 * KIB, 2 * KIB),
)
"""What all three tell by the same names."""
TIMES: tuple[Series, ...] = (
    ("domain_block_stats_read_time_seconds_total", 'target_device="vda"', 0.1, 0.01),
    ("domain_block_stats_write_time_seconds_total", 'target_device="vda"', 0.05, 0.01),
)
DELAYS: tuple[Series, ...] = (
    ("domain_vcpu_delay_seconds_total", 'vcpu="0"', 0.02, 0),
    ("domain_vcpu_delay_seconds_total", 'vcpu="1"', 0.03, None),
)
TOLD: Mapping[str, tuple[Series, ...]] = {
    "kumina": (
        *COMMON,
        ("domain_block_stats_read_seconds_total", 'source_file="/a",target_device="vda"', 0.1, 0.01),
        ("domain_block_stats_write_seconds_total", 'source_file="/a",target_device="vda"', 0.05, 0.01),
    ),
    "tinkoff": (
        *COMMON,
        *TIMES,
        *DELAYS,
        ("domain_info_meta", f'uuid="{ONE}",flavor="small"', 1, None),
        ("domain_info_meta", f'uuid="{TWO}",flavor="large"', None, 1),
        ("domain_memory_stats_actual_balloon_bytes", "", 3000 * MIB, 0),
        ("domain_memory_stats_rss_bytes", "", 2560 * MIB, 0),
        ("domain_memory_stats_unused_bytes", "", 512 * MIB, 0),
        ("domain_memory_stats_disk_cache_bytes", "", 256 * MIB, 0),
        ("domain_memory_stats_available_bytes", "", 2900 * MIB, 0),
        ("domain_memory_stats_usable_bytes", "", 1900 * MIB, 0),
    ),
    "inovex": (
        *COMMON,
        *TIMES,
        *DELAYS,
        ("domain_openstack_info", f'instance_id="{ONE}",instance_name="web"', 1, None),
        ("domain_openstack_info", 'instance_id="",instance_name=""', None, 1),
        ("domain_memory_stats_rss_bytes", "", 2560 * MIB, None),
        ("domain_memory_stats_unused_bytes", "", 512 * MIB, None),
        ("domain_memory_stats_available_bytes", "", 2900 * MIB, None),
        ("domain_memory_stats_usable_bytes", "", 1900 * MIB, None),
        ("domain_memory_stats_swap_in_bytes", "", 8 * KIB, None),
        ("domain_memory_stats_swap_out_bytes", "", 4 * KIB, None),
    ),
}  # fmt: skip
"""In the names and labels of kumina/libvirt_exporter 0181d20, Tinkoff/libvirt-exporter 0be4cf2 (vCPU
delay: later ones) and inovex/prometheus-libvirt-exporter 05c9372. The second guest of the last two has
no balloon driver: Tinkoff's tells zeros then, and inovex' nothing."""

BUSY: Mapping[str, int] = {
    "cpu": 500, "memory.assigned": 4096, "memory.balloon": 3072,
    "disk": 170, "disk.operations": 50, "disk.latency": 3000, "network": 10,
}  # fmt: skip
QUIET: Mapping[str, int] = {
    "cpu": 1500, "memory.assigned": 8192, "memory.balloon": 7168,
    "disk": 15, "disk.operations": 10, "disk.latency": 2000, "network": 3,
}  # fmt: skip
REPORTED: Mapping[str, int] = {"memory.rss": 2560, "memory.unused": 512, "memory.used": 1000}
MEANT: Mapping[str, tuple[Mapping[str, int], Mapping[str, int]]] = {
    "kumina": (BUSY, QUIET),
    "tinkoff": (
        {**BUSY, **REPORTED, "memory.balloon": 3000, "memory.cache": 256, "cpu.delay": 50},
        {**{m: v for m, v in QUIET.items() if m != "memory.balloon"}, "cpu.delay": 0},
    ),
    "inovex": (
        {**BUSY, **REPORTED, "cpu.delay": 50, "swap": 12},
        {**QUIET, "cpu.delay": 0},
    ),
}  # fmt: skip


def lines(now: int) -> Iterator[str]:
    """Everything in OpenMetrics: a sample each 15 s, from 15 minutes ago to ten from now."""
    for job, told in TOLD.items():
        for name, more, *both in told:
            counts = name.endswith("_total") or "_swap_" in name
            for host, pace in zip(("kvm1", "kvm2"), both, strict=True):
                labels = f'job="{job}",instance="{host}:9177",domain="{NAME}",{more}'.rstrip(",")
                for at in range(now - 900, now + 600, 15) if pace is not None else ():
                    value = 1e5 + pace * (at - now + 900) if counts else pace
                    yield f"libvirt_{name}{{{labels}}} {value:.12g} {at}\n"
    yield "# EOF\n"


@pytest.fixture(scope="module")
def store(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:  # noqa: ARG001 - only has to be there
    """Prometheus, with the series of all three exporters as blocks."""
    folder, tool, port = tmp_path_factory.mktemp("presets"), found("promtool"), free_port()
    assert tool is not None
    (folder / "all.txt").write_text("".join(lines(int(time.time()))))
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    make = ["tsdb", "create-blocks-from", "openmetrics", "-q", folder / "all.txt", folder / "data"]
    subprocess.run([tool, *make], check=True, capture_output=True)
    with running(
        "prometheus",
        port,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ) as url:
        yield url


@pytest.mark.parametrize("name", TOLD)
def test_a_preset_reads_what_its_exporter_tells(store: str, name: str) -> None:
    """Every metric of both guests to the digit, and of the right guest; zeros that mean "not known" are not believed."""
    said = {"url": store, "presets": [name], "match": f'job="{name}"', "retries": 0}
    config = read_prometheus(Table(Path("config.toml"), "prometheus", said))
    assert config is not None
    source, now = Prometheus(config), time.time()
    try:
        told = source.measure(CLUSTER, now)
    finally:
        source.close()
    assert told.warnings == ()
    assert told.unmatched == {}
    assert {uuid: dict(taken[-1].values) for uuid, taken in told.history.guests.items()} == {
        ONE: MEANT[name][0],
        TWO: MEANT[name][1],
    }
    assert all(-1 < now - taken[-1].at < 17 for taken in told.history.guests.values())


@pytest.mark.parametrize("name", TOLD)
def test_every_template_of_a_preset_is_tried(name: str) -> None:
    """One that no series answers would be no more than a guess."""
    config = read_prometheus(
        Table(Path("config.toml"), "prometheus", {"url": "http://x", "presets": [name]})
    )
    assert config is not None
    assert set(config.guests) == {"at", *MEANT[name][0]}
