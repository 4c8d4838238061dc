"""What is asked of a PromQL store, what is made of its answers, and of its faults."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from requests import TooManyRedirects, sessions

from balancer.adapters.measured import MeasuredInventory
from balancer.adapters.prometheus import Prometheus
from balancer.adapters.stand_in import SilentTelemetry
from balancer.config import load
from balancer.config.prometheus import PRESETS, PrometheusConfig, preset, read_prometheus
from balancer.config.reading import Table
from balancer.planner.model.observation import History, Observation, Sample
from balancer.ports import Measured, UsageError
from balancer.wiring import metric_source, ports_for
from tests.drawing import NOON, draw, observation, uuid_of

CLUSTER = draw("""
    kvm1 16c/64g : web-1 4v/8g | twin 1v/1g
    kvm2 16c/64g : db-1 8v/16g
""")


@dataclass
class Store:
    """A stand-in that answers every query as it was told, and remembers what it was asked."""

    url: str = ""
    answers: dict[str, list[tuple[dict[str, str], str]]] = field(default_factory=dict)
    """Words of a query to the series it is answered with."""
    status: int = 200
    body: str = ""
    """Instead of an answer."""
    more: str = ""
    """JSON after the data, as `"warnings":["…"]`."""
    wait: float = 0.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(query, Authorization) of every request."""
    refuse: Callable[[str], bool] = lambda _: False

    def answer(self, query: str, path: str) -> tuple[int, str]:
        if self.refuse(query):
            return 400, json.dumps({"status": "error", "error": "bad template"})
        if self.body or self.status != 200:
            return self.status, self.body
        found = [
            {"metric": {**labels, "metric": metric}, **_values(value, path)}
            for metric, series in self.answers.items()
            for labels, value in series
            if f'"{metric}"' in query or metric in query
        ]
        data = json.dumps({"status": "success", "data": {"resultType": "vector", "result": found}})
        return 200, data[:-1] + (f",{self.more}" if self.more else "") + "}"


def _values(value: str, path: str) -> dict[str, object]:
    if path.endswith("query_range"):
        return {"values": [[NOON + 3600, value], [NOON + 7200, "NaN"], [NOON + 10800, "-4"]]}
    return {"value": [NOON, value]}


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)["query"][0]
            made.asked.append((query, self.headers.get("Authorization", "")))
            time.sleep(made.wait)
            code, body = made.answer(query, parts.path)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def config(url: str, folder: Path = Path(), **more: object) -> PrometheusConfig:
    table = Table(folder / "config.toml", "prometheus", {"url": url, "retries": 0, **more})
    made = read_prometheus(table)
    assert made is not None
    return made


def measure(store: Store, **more: object) -> Measured:
    source = Prometheus(config(store.url, **more))
    try:
        return source.measure(CLUSTER, NOON)
    finally:
        source.close()


def series(guest: str, host: str, value: str, label: str = "uuid") -> tuple[dict[str, str], str]:
    return {label: uuid_of(guest) if label == "uuid" else guest, "instance": f"{host}:9177"}, value


def test_values_find_their_guests_and_hosts(store: Store) -> None:
    """By uuid and by host name; what is no number is not known; ages come from the store."""
    store.answers = {
        "cpu": [series("web-1", "kvm1.example.org", "1499.6"), series("db-1", "kvm2", "NaN")],
        "at": [series("web-1", "kvm1", str(NOON - 20))],
        "memory.used": [({"instance": "kvm2:9100"}, "2048"), ({"instance": "??"}, "1")],
        "network": [series("web-1", "kvm1", "+Inf"), ({"instance": "kvm1:1"}, "5")],
    }
    found = measure(store)
    (web,) = found.history.guests[uuid_of("web-1")]
    assert (web.at, web.window, web.values) == (NOON - 20, 300.0, {"cpu": 1500})
    assert web.sources == {"cpu": "prometheus"}
    assert uuid_of("db-1") not in found.history.guests
    assert found.history.hosts["kvm2"][0].values["memory.used"] == 2048
    assert found.unmatched["??"] == "no host of that name was seen"
    assert found.unmatched["kvm1:1"] == "its series carry no label 'uuid'"
    assert found.queries == len(store.asked) <= 10
    assert all("[300s]" in query for query, _ in store.asked[:1])


def test_names_find_their_guests(store: Store) -> None:
    """By name and host; a name alone will do where there is but one; else it says why not."""
    both = draw("""
        kvm1 16c/64g : web-1 4v/8g | same 1v/1g
        kvm2 16c/64g : db-1 8v/16g
    """)
    store.answers = {
        "cpu": [
            series("web-1", "kvm1", "1", "domain"),
            series("db-1", "elsewhere", "2", "domain"),
            series("same", "kvm2", "3", "domain"),
            series("gone", "kvm1", "4", "domain"),
        ]
    }
    source = Prometheus(config(store.url, presets=["kumina"]))
    found = source.measure(both, NOON)
    source.close()
    assert set(found.history.guests) == {uuid_of("web-1"), uuid_of("db-1")}
    assert found.unmatched == {
        "same@kvm2:9177": "it runs on kvm1, these are of kvm2",
        "gone@kvm1:9177": "no guest of that uuid or name was seen",
    }


def test_two_of_one_name_are_not_guessed(store: Store) -> None:
    """Where the host is not known, two guests of one name cannot be told apart."""
    cluster = draw("a 8c/9g : x 1v/1g\nb 8c/9g : y 1v/1g")
    guests = tuple(type(g)(uuid=g.uuid, name="same", allocation={}) for g in cluster.guests)
    store.answers = {"cpu": [series("same", "unknown", "1", "domain")]}
    source = Prometheus(config(store.url, presets="kumina"))
    found = source.measure(type(cluster)(cluster.hosts, guests, cluster.placement), NOON)
    source.close()
    assert "2 guests bear that name" in found.unmatched["same@unknown:9177"]


def test_uuids_are_joined(store: Store) -> None:
    """Where the uuid stands on one series only, it is brought to the others."""
    store.answers = {
        "libvirt_domain_info_meta": [
            ({"domain": "inst-7", "uuid": uuid_of("web-1"), "instance": "kvm1:9177"}, "1")
        ],
        "cpu": [series("inst-7", "kvm1", "70", "domain")],
    }
    found = measure(store, presets=["tinkoff", "node"])
    assert found.history.guests[uuid_of("web-1")][0].values["cpu"] == 70


def test_one_bad_template_blinds_nobody(store: Store) -> None:
    """A query of several that is refused is asked one by one, and the bad one is named."""
    store.refuse = lambda query: '"network"' in query
    store.answers = {"cpu": [series("web-1", "kvm1", "70")]}
    found = measure(store)
    assert found.history.guests[uuid_of("web-1")][0].values == {"cpu": 70}
    assert any("network" in text and "bad template" in text for text in found.warnings)
    with pytest.raises(UsageError, match="see the PromQL template"):
        measure(store, presets="inovex", uuid='"network"')


@pytest.mark.parametrize("status", [401, 503])
def test_who_is_refused_does_not_ask_on(store: Store, status: int) -> None:
    """What another query would not mend is told at once, and is no reason to ask eight more times."""
    store.status = status
    with pytest.raises(UsageError, match=f"HTTP {status}"):
        measure(store, retries=0)
    assert len(store.asked) == 1


def test_a_store_speaks_in_its_own_words(store: Store) -> None:
    """Quotation marks and all."""
    store.status, store.body = 400, json.dumps({"error": 'parameter "query": it\'s odd'})
    with pytest.raises(UsageError, match='HTTP 400: parameter "query": it\'s odd: see the PromQL'):
        measure(store, guests={}, uuid="up", presets="kumina")


def test_partial_data_is_said(store: Store) -> None:
    """Warnings, which the client library drops, reach the operator; so does a partial answer."""
    store.more = '"warnings":["store 3 is \\"down\\""],"infos":["x"]'
    assert measure(store).warnings == ('store 3 is "down"',)
    store.more = '"isPartial":true'
    assert measure(store).warnings == ("the store says that its answer is partial",)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (401, "", "HTTP 401: see token_file"),
        (404, "", "HTTP 404: see that the address"),
        (422, '{"error":"many-to-many"}', "HTTP 422: many-to-many: see the PromQL template"),
        (503, "", "HTTP 503: look at its log"),
        (200, "<html>", "is not what a PromQL store gives"),
        (200, '{"data":{}}', "is not what a PromQL store gives"),
    ],
)
def test_every_fault_is_a_sentence(store: Store, status: int, body: str, sentence: str) -> None:
    """Whatever a server says, the operator reads one sentence with the address and a remedy."""
    store.status, store.body = status, body
    with pytest.raises(UsageError, match=r"^prometheus at http://127") as error:
        measure(store, guests={}, uuid="up", presets="kumina")
    assert sentence in str(error.value)


def test_it_gives_up_in_time(store: Store) -> None:
    """No answer within the time limit is a fault, not a wait."""
    store.wait = 3.0
    with pytest.raises(UsageError, match="no answer within 1 s"):
        measure(store, timeout="1s", uuid="up")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://127.0.0.1:1", "cannot be reached"),
        ("https://{store}", "the TLS handshake failed|cannot be reached"),
    ],
)
def test_nobody_there(store: Store, url: str, sentence: str) -> None:
    """A store that is not there, or does not speak TLS, is named."""
    source = Prometheus(config(url.format(store=store.url.removeprefix("http://")), uuid="up"))
    with pytest.raises(UsageError, match=sentence):
        source.measure(CLUSTER, NOON)
    source.close()


def test_a_redirect_without_end_is_a_fault(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other fault of the network is ours, too."""

    def turn(*_: object, **__: object) -> None:
        raise TooManyRedirects("30 redirects")

    monkeypatch.setattr(sessions.Session, "request", turn)
    with pytest.raises(UsageError, match="the request failed"):
        measure(store, uuid="up")


def test_secrets_come_from_files(store: Store, tmp_path: Path) -> None:
    """A token is read anew for each request; a password once; neither is ever shown."""
    (tmp_path / "token").write_text("t0ken\n")
    (tmp_path / "token").chmod(0o600)
    source = Prometheus(config(store.url, tmp_path, token_file="token", uuid="up"))
    source.measure(CLUSTER, NOON)
    assert store.asked[0][1] == "Bearer t0ken"
    (tmp_path / "token").write_text("newer")
    source.measure(CLUSTER, NOON)
    assert store.asked[-1][1] == "Bearer newer"
    source.close()
    basic = Prometheus(config(store.url, tmp_path, user="me", password_file="token"))
    basic.measure(CLUSTER, NOON)
    assert store.asked[-1][1].startswith("Basic ")
    basic.close()
    with pytest.raises(UsageError, match=r"prometheus.token_file, cannot be read"):
        Prometheus(config(store.url, tmp_path, token_file="none"))


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """That the TLS library would take it is no reason."""
    (tmp_path / "k").touch(0o644)
    with pytest.raises(UsageError, match=r"prometheus.key_file, is a secret that others may read"):
        Prometheus(config("https://x", tmp_path, cert_file="c", key_file="k"))


def test_certificates_are_handed_on(tmp_path: Path) -> None:
    """mTLS: what certifies the store, what certifies us."""
    (tmp_path / "k").touch(0o600)
    made = config("https://x", tmp_path, ca_file="ca", cert_file="c", key_file="k")
    session = Prometheus(made)._client._session
    assert (session.verify, session.cert) == (
        str(tmp_path / "ca"),
        (str(tmp_path / "c"), str(tmp_path / "k")),
    )
    alone = Prometheus(config("https://x", tmp_path, cert_file="c"))
    assert alone._client._session.cert == str(tmp_path / "c")


def test_the_past_is_fetched_coarsely(store: Store) -> None:
    """A point at the end of an hour stands for its twelve steps; what is no amount is unknown."""
    store.answers = {
        "cpu_time": [series("web-1", "kvm1", "70"), series("gone", "kvm1", "1")],
    }
    source = Prometheus(config(store.url, presets="debian"))
    start = NOON // 3600 * 3600
    found = {(k, m): (r, c) for k, m, r, c in source.past(CLUSTER, start, start + 14400, 3600)}
    rollups, cost = found["guests", "cpu"]
    (row,) = rollups.guest_rows("cpu", [uuid_of("web-1")])
    assert (cost.queries, cost.points) == (1, 6)
    assert len(row) == 48
    assert sum(row == 70) == 12
    assert found["guests", "network"][0].guests == {}
    assert list(source.past(CLUSTER, NOON, NOON, 3600)) == []
    source.close()


def test_retries_help(store: Store) -> None:
    """A store that is busy for a moment is asked again."""
    store.status = 503
    with pytest.raises(UsageError):
        measure(store, uuid="up", retries=2)
    assert len(store.asked) == 3


class Fixed:
    """A source that says what it was given, or fails."""

    name = "other"

    def __init__(self, history: History | None) -> None:
        self._history = history

    def measure(self, *_: object) -> Measured:
        if self._history is None:
            raise UsageError("other is down")
        return Measured(source=self.name, history=self._history, warnings=("old",))


class Still:
    """An inventory that sees what it was given."""

    def __init__(self, seen: Observation) -> None:
        self._seen = seen

    def observe(self) -> Observation:
        return self._seen


def test_sources_are_merged_by_precedence() -> None:
    """The hypervisor first, a source where it alone knows or is preferred; stale values never."""
    seen = observation("a 8c/9g : x 1v/1g cpu=0.5 | y 1v/1g unknown | z 1v/1g")
    x, y, z = map(uuid_of, "xyz")
    values = {"cpu": 400, "network": 5, "memory.rss": 9}
    others = History(
        {
            x: (Sample(NOON, 60.0, values, {"cpu": "other"}),),
            y: (Sample(NOON, 60.0, {"cpu": 1}),),
            z: (Sample(NOON - 9999, 60.0, {"cpu": 1}),),
        }
    )
    made = MeasuredInventory(Still(seen), [Fixed(others), Fixed(None)], ["cpu"]).observe()
    (sample,) = made.history.guests[x]
    assert sample.values == {**seen.history.guests[x][0].values, "cpu": 400, "network": 5}
    assert sample.sources == {"cpu": "other"}
    assert made.history.guests[y][0].values == {"cpu": 1}
    assert made.history.guests[z] == seen.history.guests[z]
    assert made.also == {"other": others}
    assert made.doubts == ("other: old", "other is down")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_sound(name: str) -> None:
    """Every shipped template is one that the operator's file might hold as well."""
    shipped = preset(name)
    whole = {"url": "http://x", "presets": name, "guests": shipped.guests, "hosts": shipped.hosts}
    made = read_prometheus(Table(Path("config.toml"), "prometheus", whole))
    assert made is not None
    assert all(
        "$" not in made.filled(text) for text in shipped.guests.values() if "$$" not in text
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"url": "prometheus:9090"}, "needs an address"),
        ({"url": "http://a:b@x"}, "must not hold a password"),
        ({"presets": "debain"}, "did you mean debian"),
        ({"presets": ["debian", "kumina"]}, "only one of them"),
        ({"host_pattern": "("}, "is no regular expression"),
        ({"host_pattern": "x"}, "needs a group"),
        ({"retries": -1}, "must be a whole number"),
        ({"user": "me"}, "needs both user and password_file"),
        ({"key_file": "k"}, "belongs to a cert_file"),
        ({"prefer": ["cpux"]}, "did you mean cpu"),
        ({"guests": {"cpux": "up"}}, "no metric 'cpux'"),
        ({"guests": {"cpu": "up{a=~'x$'}"}}, "holds a $"),
        ({"guests": {"cpu": "$windo"}}, "holds a $"),
        ({"nothing": 1}, "unknown key"),
    ],
)
def test_what_is_misconfigured_is_named(values: dict[str, object], sentence: str) -> None:
    """One sentence with the file, the key and the remedy."""
    with pytest.raises(UsageError, match=r"^config.toml: ") as error:
        read_prometheus(Table(Path("config.toml"), "prometheus", {"url": "http://x", **values}))
    assert sentence in str(error.value)


def test_config_wires_the_store(tmp_path: Path) -> None:
    """[prometheus] puts the store beside the hypervisors; without it there is none."""
    file = tmp_path / "config.toml"
    file.write_text(f'state = "{tmp_path}"\n[prometheus]\nurl = "http://x"\npresets = "node"\n')
    made = load(file)
    assert isinstance(metric_source(made), Prometheus)
    ports = ports_for(made, SilentTelemetry(), read_only=True)
    assert isinstance(ports.inventory, MeasuredInventory)
    assert ports.history is not None
    file.write_text(f'state = "{tmp_path}/none"\n')
    assert metric_source(load(file)) is None
    assert ports_for(load(file), SilentTelemetry(), read_only=True).history is None
