"""What one cycle and a backfill cost, asked of Debian's Prometheus itself.

`python -m benchmarks.store [GUESTS [HOURS]]` writes the series that prometheus-libvirt-exporter has of
so many guests over so many hours (a sample a minute from half an hour ago until a quarter of an
hour from now, since making blocks takes its time; one in five minutes before), makes blocks of them with promtool, starts Prometheus on these, and prints what the client
took for one cycle and for fetching the past: queries, processor time and peak memory of the
client, processor time of the server. Needs `prometheus` and `promtool` (apt-get install prometheus).
"""

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import TextIO
from urllib.error import URLError
from urllib.request import urlopen
from uuid import NAMESPACE_DNS, uuid5

GUESTS_A_HOST = 25
FAMILIES = (
    ("libvirt_domain_info_cpu_time_seconds", "counter", 0.4),
    ("libvirt_domain_info_maximum_memory_bytes", "gauge", 2**33),
    ("libvirt_domain_info_memory_usage_bytes", "gauge", 2**32),
    ("libvirt_domain_block_stats_read_bytes", "counter", 9e5),
    ("libvirt_domain_block_stats_write_bytes", "counter", 4e5),
    ("libvirt_domain_block_stats_read_requests", "counter", 30.0),
    ("libvirt_domain_block_stats_write_requests", "counter", 20.0),
    ("libvirt_domain_interface_stats_receive_bytes", "counter", 7e4),
    ("libvirt_domain_interface_stats_transmit_bytes", "counter", 9e4),
)
"""Name, type, and growth a second or level."""


def uuid(number: int) -> str:
    return str(uuid5(NAMESPACE_DNS, str(number)))


def moments(now: int, hours: int) -> list[int]:
    """Seconds since the epoch of all samples, oldest first."""
    return [*range(now - hours * 3600, now - 1800, 300), *range(now - 1800, now + 900, 60)]


def write(file: TextIO, guests: int, times: list[int]) -> int:
    """Write everything in OpenMetrics; return the number of samples."""
    chance = Random(1)
    written = 0
    for name, kind, pace in FAMILIES:
        counts = kind == "counter"
        file.write(f"# TYPE {name} {kind}\n")
        for guest in range(guests):
            labels = f'instance="kvm{guest // GUESTS_A_HOST:04d}:9177",uuid="{uuid(guest)}"'
            series = f"{name}{'_total' if counts else ''}{{{labels}}}"
            own = pace * chance.uniform(0.2, 2)
            value = lambda at: own * (at - times[0]) if counts else own  # noqa: E731, B023
            file.write("".join(f"{series} {value(at):.6g} {at}\n" for at in times))
            written += len(times)
    file.write("# EOF\n")
    return written


def serve(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Start Prometheus on the blocks and wait until it answers."""
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    server = subprocess.Popen(
        [
            "prometheus", f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
            "--storage.tsdb.retention.time=400d", "--log.level=error",
        ]
    )  # fmt: skip
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5).close()
        except (URLError, ConnectionError, TimeoutError):
            time.sleep(0.2)
        else:
            return server
    server.kill()
    raise TimeoutError("prometheus does not get ready")


def server_seconds(server: "subprocess.Popen[bytes]") -> float:
    """Return the processor time of the server so far."""
    fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def client(guests: int, port: int, work: str, hours: int, step: int, out: Connection) -> None:
    """Do one piece of work in a process of its own; send what it took."""
    from balancer.adapters.history_sqlite import SqliteHistory
    from balancer.adapters.prometheus import Prometheus
    from balancer.config.prometheus import read_prometheus
    from balancer.config.reading import Table
    from balancer.planner.model.cluster import Cluster, Guest, Host

    names = [f"kvm{n:04d}" for n in range(-(-guests // GUESTS_A_HOST))]
    cluster = Cluster(
        tuple(Host(name=name, capacity={}) for name in names),
        tuple(Guest(uuid=uuid(n), name=f"g{n}", allocation={}) for n in range(guests)),
        {uuid(n): names[n // GUESTS_A_HOST] for n in range(guests)},
    )
    said = {"url": f"http://127.0.0.1:{port}", "timeout": "60s", "presets": ["debian"]}
    config = read_prometheus(Table(Path("config.toml"), "prometheus", said))
    assert config is not None
    source = Prometheus(config)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    busy, began = time.process_time(), time.perf_counter()
    if work == "cycle":
        found = source.measure(cluster, time.time())
        assert len(found.history.guests) == guests, found.warnings
        (some,) = found.history.guests[uuid(0)]
        assert len(some.values) == 6, some
        told = f"{found.queries} queries, {len(some.values)} metrics"
    else:
        queries = points = 0
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteHistory(Path(folder) / "history.sqlite")
            now = time.time()
            for kind, metric, means, cost in source.past(cluster, now - hours * 3600, now, step):
                store.backfill(kind, metric, means)
                queries, points = queries + cost.queries, points + cost.points
            store.close()
        told = f"{queries} queries, {points:,} points"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    out.send(
        f"{told}; client {time.process_time() - busy:.2f} s of processor time, peak {peak:.0f} MiB "
        f"({before:.0f} before), {time.perf_counter() - began:.1f} s"
    )


def measured(server: "subprocess.Popen[bytes]", what: str, *of: object) -> None:
    """Print what one piece of work took."""
    here, there = get_context("spawn").Pipe()
    before = server_seconds(server)
    process = get_context("spawn").Process(target=client, args=(*of, there))
    process.start()
    there.close()
    try:
        told = here.recv()
    except EOFError:
        told = "failed"
    process.join()
    print(f"{what}: {told}; server {server_seconds(server) - before:.1f} s", flush=True)


def timed(what: str, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    print(f"{what}: {work()}, {time.perf_counter() - began:.0f} s", flush=True)


def pieces(hours: int) -> Iterator[tuple[str, str, int]]:
    """Yield what to measure: words, kind of work, step in seconds."""
    yield "one cycle", "cycle", 0
    yield f"backfill of {hours} h by the hour", "past", 3600
    yield f"backfill of {hours} h by five minutes", "past", 300


def main(guests: int = 10_000, hours: int = 25) -> None:
    """Make the data, start the server, measure."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        now = int(time.time()) // 60 * 60
        with (folder / "all.txt").open("w") as file:
            timed("samples written", lambda: f"{write(file, guests, moments(now, hours)):,}")
        make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q"]
        timed(
            "blocks made",
            lambda: (
                subprocess.run([*make, folder / "all.txt", folder / "data"], check=True).returncode
            ),
        )
        (folder / "all.txt").unlink()
        from tests.lab.programs import free_port

        port = free_port()
        server = serve(folder, port)
        try:
            for what, work, step in pieces(hours):
                measured(server, what, guests, port, work, hours, step)
        finally:
            server.terminate()
            server.wait(60)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
