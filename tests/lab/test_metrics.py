"""Metrics by the real programs: Debian's Prometheus and exporters, against real hypervisors."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from balancer.adapters.libvirt.inventory import LibvirtInventory
from balancer.adapters.measured import MeasuredInventory
from balancer.adapters.prometheus import Prometheus
from balancer.config.prometheus import PrometheusConfig, read_prometheus
from balancer.config.reading import Table
from balancer.planner.model.cluster import Cluster
from balancer.ports import Measured

from .cluster import Laboratory
from .guest import GuestSpec, Load
from .operator import Operator
from .programs import free_port, running
from .test_execute import WallClock, config

SCRAPED = 6
"""Scrapes, of one second each, that rates need."""


@pytest.fixture
def prometheus(programs: None, lab: Laboratory, tmp_path: Path) -> Iterator[str]:  # noqa: ARG001 - only has to be there
    """Two hypervisors with an exporter each, a node exporter, and the store that scrapes them."""
    lab.boot(
        GuestSpec("busy", disk="local", load=Load(cpu=30, io=64)),
        GuestSpec("idle", host="h2", memory_mib=192),
    )
    with contextlib.ExitStack() as stack:
        jobs = []
        for name in ("h1", "h2"):
            port = free_port()
            stack.enter_context(
                running(
                    "prometheus-libvirt-exporter",
                    port,
                    f"--web.listen-address=127.0.0.1:{port}",
                    f"--libvirt.uri={lab[name].uri}",
                )
            )
            jobs.append({"targets": [f"127.0.0.1:{port}"], "labels": {"host": name}})
        port = free_port()
        stack.enter_context(
            running("prometheus-node-exporter", port, f"--web.listen-address=127.0.0.1:{port}")
        )
        node = [{"targets": [f"127.0.0.1:{port}"], "labels": {"host": "h1"}}]
        settings = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
            "scrape_configs": [
                {"job_name": "libvirt", "static_configs": jobs},
                {"job_name": "node", "static_configs": node},
            ],
        }
        (tmp_path / "prometheus.yml").write_text(json.dumps(settings))  # JSON is YAML
        port = free_port()
        yield stack.enter_context(
            running(
                "prometheus",
                port,
                f"--config.file={tmp_path}/prometheus.yml",
                f"--storage.tsdb.path={tmp_path}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            )
        )


def store(url: str, **more: object) -> PrometheusConfig:
    values = {"url": url, "host_label": "host", "window": "8s", **more}
    made = read_prometheus(Table(Path("config.toml"), "prometheus", values))
    assert made is not None
    return made


def measured(url: str, cluster: Cluster) -> Measured:
    """What the store knows once rates can be told."""
    source = Prometheus(store(url))
    until = time.monotonic() + 10 * SCRAPED
    while True:
        found = source.measure(cluster, time.time())
        known = [s for (s,) in found.history.guests.values() if "cpu" in s.values]
        if len(known) == len(cluster.guests) and found.history.hosts:
            return found
        assert time.monotonic() < until, found
        time.sleep(1)


def test_what_real_exporters_tell(lab: Laboratory, prometheus: str) -> None:
    """Guests and hosts are matched, their values merged with libvirt's own.

    Series of a host that a guest does not run on, as while it is on the move, are not its own.
    """
    hosts = [config(lab[name]) for name in ("h1", "h2")]
    inventory = LibvirtInventory(hosts, WallClock(), sample_gap=1)
    cluster = inventory.observe().cluster
    by_name = {guest.name: guest.uuid for guest in cluster.guests}
    found = measured(prometheus, cluster)
    assert (found.unmatched, found.warnings) == ({}, ())
    assert found.queries <= 10
    (busy,) = found.history.guests[by_name["busy"]]
    assert busy.values["cpu"] > 0
    assert busy.values["memory.assigned"] == 128
    assert {"disk", "network", "memory.balloon"} <= busy.values.keys()
    assert abs(time.time() - busy.at) < 30
    assert found.history.hosts["h1"][0].values["memory.used"] > 0

    merged = MeasuredInventory(inventory, [Prometheus(store(prometheus))], ("cpu",)).observe()
    (sample,) = merged.history.guests[by_name["busy"]]
    assert sample.sources["cpu"] == "prometheus"
    assert "memory.rss" not in sample.sources
    inventory.close()

    uuid = by_name["busy"]
    moved = Cluster(cluster.hosts, cluster.guests, {**cluster.placement, uuid: "h2"})
    elsewhere = Prometheus(store(prometheus)).measure(moved, time.time())
    assert uuid not in elsewhere.history.guests
    assert elsewhere.unmatched == {f"{uuid}@h1": "it runs on h2, these are of h1"}


def test_what_an_operator_sees(lab: Laboratory, prometheus: str, tmp_path: Path) -> None:
    """check-metrics tells what covers whom; backfill fetches the past, and only once."""
    folder = tmp_path / "operator"
    folder.mkdir()
    operator = Operator(lab, folder).configure()
    with (folder / "config.toml").open("a") as file:
        file.write(f'[prometheus]\nurl = "{prometheus}"\nhost_label = "host"\nwindow = "8s"\n')
    inventory = LibvirtInventory(
        [config(lab[name]) for name in ("h1", "h2")], WallClock(), sample_gap=1
    )
    measured(prometheus, inventory.observe().cluster)
    inventory.close()
    checked = operator.run("check-metrics", "--format", "json")
    assert checked.code == 0, checked.err
    libvirt, also = checked.document["report"]["sources"]
    assert {line["metric"] for line in libvirt["coverage"]} >= {"cpu", "memory.rss"}
    (cpu,) = [c for c in also["coverage"] if (c["kind"], c["metric"]) == ("guests", "cpu")]
    assert (cpu["known"], cpu["of"]) == (2, 2)
    filled = operator.run("backfill", "--days", "1", "--step", "5min", "--format", "json")
    assert filled.code == 0, filled.err
    assert filled.document["queries"] > 0
    assert operator.run("backfill", "--days", "1", "--format", "json").document["queries"] == 0
    assert (folder / "history.sqlite").exists()
    assert "cpu" in operator.run("check-metrics").out
