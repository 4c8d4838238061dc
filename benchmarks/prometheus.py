"""What one cycle of 10,000 guests costs the client: `python -m benchmarks.prometheus [GUESTS]`.

A stand-in server in a process of its own answers each query with one series a guest and metric,
as Prometheus writes them. Prints queries, processor time and peak memory of the client.
"""

import json
import re
import resource
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import Pipe, Process
from multiprocessing.connection import Connection
from pathlib import Path
from time import process_time, time
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_DNS, uuid5

GUESTS_A_HOST = 25


def serve(guests: int, ready: Connection) -> None:
    """Answer for ever."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)["query"][0]
            found = []
            for metric in re.findall(r'"metric", "([^"]+)"', query):
                if "by (uuid" in query:
                    found += [
                        {
                            "metric": {
                                "instance": f"kvm{n // GUESTS_A_HOST:04d}:9177",
                                "metric": metric,
                                "uuid": str(uuid5(NAMESPACE_DNS, str(n))),
                            },
                            "value": [time(), f"{time() if metric == 'at' else 100 + n / 7}"],
                        }
                        for n in range(guests)
                    ]
            body = json.dumps({"status": "success", "data": {"result": found}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_port)
    server.serve_forever()


def main(guests: int = 10_000) -> None:
    """Measure one cycle."""
    here, there = Pipe()
    server = Process(target=serve, args=(guests, there), daemon=True)
    server.start()
    port = here.recv()
    from balancer.adapters.prometheus import Prometheus
    from balancer.config.prometheus import read_prometheus
    from balancer.config.reading import Table
    from balancer.planner.model.cluster import Cluster, Guest, Host

    uuids = [str(uuid5(NAMESPACE_DNS, str(n))) for n in range(guests)]
    names = [f"kvm{n:04d}" for n in range(-(-guests // GUESTS_A_HOST))]
    cluster = Cluster(
        tuple(Host(name=name, capacity={}) for name in names),
        tuple(Guest(uuid=uuid, name=f"g{n}", allocation={}) for n, uuid in enumerate(uuids)),
        {uuid: names[n // GUESTS_A_HOST] for n, uuid in enumerate(uuids)},
    )
    config = read_prometheus(
        Table(
            Path("config.toml"),
            "prometheus",
            {"url": f"http://127.0.0.1:{port}", "timeout": "60s"},
        )
    )
    assert config is not None
    source = Prometheus(config)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began = process_time()
    measured = source.measure(cluster, time())
    took = process_time() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert len(measured.history.guests) == guests, measured.unmatched
    print(
        f"{guests} guests, {len(config.guests)} guest metrics: {measured.queries} queries, "
        f"{took:.2f} s of processor time, peak {after:.0f} MiB ({before:.0f} before)"
    )
    server.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
