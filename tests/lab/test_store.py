"""How Debian's Prometheus is asked: who we are, what it costs to be refused, slow, busy or gone."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import NAMESPACE_DNS, uuid5

import pytest

from balancer.adapters.prometheus import Prometheus
from balancer.config.prometheus import read_prometheus
from balancer.config.reading import Table
from balancer.planner.model.cluster import Cluster, Guest, Host
from balancer.ports import Measured, UsageError

from .programs import free_port, running

UUID = str(uuid5(NAMESPACE_DNS, "web-1"))
CLUSTER = Cluster(
    (Host(name="kvm1", capacity={}),),
    (Guest(uuid=UUID, name="web-1", allocation={}),),
    {UUID: "kvm1"},
)
LIKELY = 400
"""Millicores: what the exporter's guest uses is 500."""
PASSWORD = "correct horse"
HASHED = "$2b$04$z5o8qXKeHRzGMOQxmSmA9.x5x1GcXr9ik.x5rMEo3FlUd2BNweU0C"
"""That password, as Prometheus keeps it (bcrypt)."""


@contextlib.contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve in a thread; gives the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Exporter(BaseHTTPRequestHandler):
    """One guest of 256 MiB whose one vCPU is half busy, as Debian's exporter tells it."""

    def do_GET(self) -> None:
        label = f'{{domain="instance-1",uuid="{UUID}"}}'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(
            f"libvirt_domain_info_cpu_time_seconds_total{label} {time.time() / 2}\n"
            f"libvirt_domain_info_maximum_memory_bytes{label} {2**28}\n"
            f"libvirt_domain_info_memory_usage_bytes{label} {2**28}\n".encode()
        )

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@dataclass
class Behaviour:
    """What the proxy before the store does with a request."""

    token: str = "t0ken"
    busy: int = 0
    """So many requests are told to come again."""
    slow: threading.Event = field(default_factory=threading.Event)
    """While this is not set nothing is answered."""
    asked: int = 0


def proxy(behaviour: Behaviour, store: str) -> type[BaseHTTPRequestHandler]:
    """A proxy that wants a bearer token, as stands before Mimir and Thanos."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            behaviour.asked += 1
            behaviour.slow.wait(20)
            if self.headers.get("Authorization") != f"Bearer {behaviour.token}":
                return self.told(401, b"who are you")
            if behaviour.busy:
                behaviour.busy -= 1
                return self.told(503, b"busy")
            try:
                with urlopen(Request(f"{store}{self.path}"), timeout=20) as answer:
                    self.told(answer.status, answer.read())
            except HTTPError as error:
                self.told(error.code, error.read())

        def told(self, status: int, body: bytes) -> None:
            with contextlib.suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    return Handler


def certified(folder: Path) -> None:
    """An authority, the store's certificate, ours, and one of another authority."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]

    def made(name: str, *more: str) -> None:
        files = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
        command = ["openssl", "req", "-x509", *key, *files, *more]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
        (folder / f"{name}.key").chmod(0o600)

    signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
    made("ca")
    made("other")
    made("store", *signed, "-addext", "subjectAltName=IP:127.0.0.1")
    made("balancer", *signed)


@dataclass(frozen=True)
class Stores:
    """The same data behind a token, and behind certificates and a password."""

    token: str
    certified: str
    behaviour: Behaviour
    folder: Path

    def ask(self, url: str, **more: object) -> Measured:
        """One cycle of a source that is configured so."""
        source = self.source(url, **more)
        try:
            return source.measure(CLUSTER, time.time())
        finally:
            source.close()

    def source(self, url: str, **more: object) -> Prometheus:
        values: Mapping[str, object] = {
            "url": url, "presets": ["debian"], "host_label": "host", "window": "2s", "retries": 0,
            **more,
        }  # fmt: skip
        made = read_prometheus(Table(self.folder / "config.toml", "prometheus", values))
        assert made is not None
        return Prometheus(made)


@pytest.fixture(scope="module")
def stores(programs: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:  # noqa: ARG001 - only has to be there
    folder = tmp_path_factory.mktemp("store")
    certified(folder)
    (folder / "password").write_text(PASSWORD)
    (folder / "token").write_text("t0ken")
    (folder / "wrong").write_text("wr0ng")
    for name in ("password", "token", "wrong"):
        (folder / name).chmod(0o600)
    tls = {
        "cert_file": "store.pem", "key_file": "store.key",
        "client_auth_type": "RequireAndVerifyClientCert", "client_ca_file": "ca.pem",
    }  # fmt: skip
    web = {"tls_server_config": tls, "basic_auth_users": {"balancer": HASHED}}
    (folder / "web.yml").write_text(json.dumps(web))  # JSON is YAML
    behaviour = Behaviour()
    behaviour.slow.set()
    with contextlib.ExitStack() as stack:
        exporter = stack.enter_context(answering(Exporter))
        scrape = {
            "job_name": "libvirt",
            "static_configs": [{"targets": [exporter], "labels": {"host": "kvm1"}}],
        }
        settings = {"global": {"scrape_interval": "250ms"}, "scrape_configs": [scrape]}
        (folder / "prometheus.yml").write_text(json.dumps(settings))
        plain = stack.enter_context(prometheus(folder, "plain"))
        certain = stack.enter_context(prometheus(folder, "certain", "web.yml"))
        guarded = stack.enter_context(answering(proxy(behaviour, plain)))
        yield Stores(f"http://{guarded}", certain.replace("http:", "https:"), behaviour, folder)


def prometheus(folder: Path, name: str, web: str = "") -> contextlib.AbstractContextManager[str]:
    """Debian's Prometheus, with data of its own."""
    port = free_port()
    return running(
        "prometheus",
        port,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/{name}",
        f"--web.listen-address=127.0.0.1:{port}",
        *([f"--web.config.file={folder}/{web}"] if web else []),
    )


OURS: Mapping[str, object] = {
    "user": "balancer", "password_file": "password",
    "ca_file": "ca.pem", "cert_file": "balancer.pem", "key_file": "balancer.key",
}  # fmt: skip


def until_known(ask: Callable[[], Measured]) -> Measured:
    """Ask until there are scrapes for the whole window: rates are too small before."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        found = ask()
        if any(s.values.get("cpu", 0) > LIKELY for s in found.history.guests.get(UUID, ())):
            return found
        time.sleep(0.2)
    pytest.fail("Prometheus never told of the guest's CPU")


def test_who_is_known_is_answered(stores: Stores) -> None:
    """By a bearer token, and by a certificate with a password (mTLS and basic) at once."""
    for url, how in ((stores.token, {"token_file": "token"}), (stores.certified, OURS)):
        found = until_known(lambda url=url, how=how: stores.ask(url, **how))  # type: ignore[misc]
        (sample,) = found.history.guests[UUID]
        assert LIKELY < sample.values["cpu"] < 600
        assert sample.values["memory.assigned"] == 256
        assert found.warnings == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"password_file": "wrong"}, "HTTP 401.*: see token_file, or user and password_file"),
        ({"user": "", "password_file": ""}, "HTTP 401"),
        ({"cert_file": "other.pem", "key_file": "other.key"}, "TLS|cannot be reached"),
        ({"cert_file": "", "key_file": ""}, "TLS|cannot be reached"),
        ({"ca_file": "other.pem"}, "the TLS handshake failed: .*see ca_file"),
        ({"ca_file": ""}, "the TLS handshake failed: .*see ca_file"),
    ],
)
def test_who_is_not_known_reads_why(
    stores: Stores, change: Mapping[str, object], sentence: str
) -> None:
    """One sentence with the address and the keys to look at; no secret is in it."""
    with pytest.raises(UsageError, match=sentence) as raised:
        stores.ask(stores.certified, **{**OURS, **change})
    assert stores.certified in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_a_wrong_token_is_refused(stores: Stores) -> None:
    """As by the proxies before other stores."""
    with pytest.raises(UsageError, match=r"HTTP 401.*: see token_file"):
        stores.ask(stores.token, token_file="wrong")


def test_a_busy_store_is_asked_again(stores: Stores) -> None:
    """As often as `retries` says, and no more."""
    stores.behaviour.busy = 2
    assert stores.ask(stores.token, token_file="token", retries=2).history.guests
    stores.behaviour.busy = 2
    with pytest.raises(UsageError, match="HTTP 503"):
        stores.ask(stores.token, token_file="token", retries=1)
    stores.behaviour.busy = 0


def test_a_slow_store_is_given_up(stores: Stores) -> None:
    """Within the time limit; so is a query that the store itself breaks off."""
    stores.behaviour.slow.clear()
    try:
        began = time.monotonic()
        with pytest.raises(UsageError, match="no answer within 1 s: give it more time"):
            stores.ask(stores.token, token_file="token", timeout="1s")
        assert time.monotonic() - began < 10
    finally:
        stores.behaviour.slow.set()


def test_what_the_store_cannot_read_is_named(stores: Stores) -> None:
    """The template that is refused is, with the store's own words; the others still tell."""
    found = until_known(
        lambda: stores.ask(stores.token, token_file="token", guests={"network": "rate(up[5m)"})
    )
    (warning,) = found.warnings
    assert "network" in warning
    assert "parse error" in warning


def test_a_store_that_is_gone_is_named(stores: Stores) -> None:
    """Nobody listens there any more."""
    with pytest.raises(UsageError, match=r"cannot be reached: .*Connection refused"):
        stores.ask(f"http://127.0.0.1:{free_port()}")
