"""Every document that is read may be damaged or hostile: it is read, or refused in one sentence.

Never anything but a UsageError (of XML: Unreadable), never a sentence with what a terminal would
obey, never a file changed or left half-written by having read it.
"""

from __future__ import annotations

import json
import random
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from requests import Response
from requests.adapters import BaseAdapter

from balancer.adapters.board import StatusBoard, read_status
from balancer.adapters.closed import ClosedHosts, Closure
from balancer.adapters.freeze import FreezeFiles
from balancer.adapters.history_sqlite import SqliteHistory
from balancer.adapters.journal_sqlite import SqliteJournal
from balancer.adapters.libvirt.document import Unreadable, parse
from balancer.adapters.libvirt.domain_xml import read_domain
from balancer.adapters.libvirt.host_xml import (
    read_capabilities,
    read_emulation,
    read_network,
    read_pool,
)
from balancer.adapters.libvirt.metadata import flatten, labels, owner
from balancer.adapters.prometheus import Prometheus
from balancer.codec import (
    as_data,
    dump_observation,
    dump_plan,
    load_outcome_data,
    read_observation,
    read_plan,
)
from balancer.config import load, load_groups, load_policy
from balancer.config.prometheus import PrometheusConfig
from balancer.planner.model.plan import Outcome, Result
from balancer.ports import Event, Status, UsageError
from balancer.service import telling
from balancer.service.recovery import unfinished
from balancer.simulator.scenario import load_scenario
from tests.codec.documents import PLAN, SMALL
from tests.fuzz.mutations import (
    Spoil,
    spoil_bytes,
    spoil_json,
    spoil_toml,
    spoil_tree,
    spoil_xml,
)

ROOT = Path(__file__).parents[2]
XML = ROOT / "tests" / "adapters" / "libvirt"
LONGEST = 2000
"""Characters of a sentence that an operator is shown."""

CONFIG = """
mode = "confirm"
policy = "policy.toml"
hosts = ["hosts.toml"]
groups = "groups.toml"
interval = "5min"
sample_gap = "2s"
state = "."
history_age = "28d"
history_size = "1GiB"
workers = 8
[guards]
auto_after = "3d"
failures_per_hour = 2
hosts_unseen_at_most = "5%"
[prometheus]
url = "http://prometheus:9090"
presets = ["debian", "node"]
window = "5min"
retries = 2
[[notify]]
webhook = "https://chat.example/hook"
[prometheus.guests]
cpu = "rate(x{$match}[$window])"
"""
HOSTS = """
[defaults]
link = "10Gbit"
networks = ["vlan1"]
labels = { rack = "r1" }
[[hosts]]
names = "kvm[01-03]"
uri = "qemu+tls://{name}/system"
capacity = { memory = "64GiB", cpu = 16 }
answer_within = "10s"
[[overrides]]
names = "kvm02"
labels = { rack = "r2" }
"""
GROUPS = '[groups]\nweb = "web-*"\n'


@dataclass(frozen=True)
class Kind:
    """One kind of document: a whole one, how it is spoilt, how it is read."""

    file: str
    whole: bytes
    spoil: Spoil
    read: Callable[[Path], object]
    refusal: type[Exception] = UsageError
    beside: tuple[tuple[str, str], ...] = ()
    """Other files that must be there."""


def text_reader(*readers: Callable[[str], object]) -> Callable[[Path], object]:
    def read(path: Path) -> object:
        text = path.read_bytes().decode(errors="replace")  # as libvirt's binding hands it over
        return [reader(text) for reader in readers]

    return read


def metadata(text: str) -> object:
    document = parse(text)
    return owner(document, flatten(document)), labels(document)


def frozen(path: Path) -> None:
    brake = FreezeFiles(path, path.with_name("none"), lambda: 1e9)
    said = brake.reason()
    assert said or path.read_bytes().startswith(b"until "), "a file that is there freezes"


@dataclass
class Canned(BaseAdapter):
    """Answers every request with the same bytes."""

    body: bytes

    def send(self, request: Any, *_: object, **__: object) -> Response:
        answer = Response()
        answer.status_code, answer._content, answer.url = 200, self.body, request.url
        answer.request = request
        for hook in request.hooks["response"]:
            hook(answer)
        return answer

    def close(self) -> None: ...


def metrics(path: Path) -> object:
    config = PrometheusConfig(
        url="http://store", guests={"cpu": "a", "memory.rss": "b"}, hosts={"cpu": "c", "at": "d"}
    )
    source = Prometheus(config)
    source._client._session.mount(config.url, Canned(path.read_bytes()))
    cluster = SMALL.cluster
    measured = source.measure(cluster, 1e9)
    assert all(w.isprintable() for w in measured.warnings)
    return measured, list(source.past(cluster, 1e9, 1e9 + 7200, 300))


INSTANT = json.dumps(
    {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [
                {
                    "metric": {"metric": m, "uuid": "web-1", "instance": "a:9100"},
                    "value": [1e9, "3.5"],
                    "values": [[1e9, "3.5"], [1e9 + 300, "NaN"]],
                }
                for m in ("cpu", "memory.rss", "at")
            ],
        },
        "warnings": ["partial"],
    }
).encode()


def status() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "status.json"
        StatusBoard(path, lambda **_: None).show(
            Status(at=1.0, mode="auto", state="s", sentence="t", interval=1.0, began=0.0)
        )
        return path.read_bytes()


def closed() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "closed.json"
        ClosedHosts(path).close("kvm1", Closure(1.0, "me", {"u": "web-1"}))
        return path.read_bytes()


def sqlite(fill: Callable[[Path], None]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sqlite"
        fill(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


OUTCOME = Outcome(action=PLAN.actions[0], result=Result.DONE, started=1.0, ended=2.0)
EVENTS = (
    telling.decided(PLAN, 1.0, {}),
    Event(at=1.0, kind="started", plan="P-1", action="1", guest="u", host="b", text="web-1 a b",
          data={"action": as_data(PLAN.actions[0]), "was": {"persistent": True, "autostart": False}}),
    telling.ended("P-1", OUTCOME),
    Event(at=3.0, kind="started", plan="P-1", action="2", guest="u",
          data={"action": as_data(PLAN.actions[1])}),
)  # fmt: skip


def journal(path: Path) -> None:
    with closing(SqliteJournal(path)) as made:
        for event in EVENTS:
            made.write(event)


def told(path: Path) -> object:
    with closing(SqliteJournal(path)) as opened:
        events = opened.read()
    ended = [load_outcome_data(e.data["outcome"]) for e in events if "outcome" in e.data]
    return unfinished(events), ended


def past(path: Path) -> object:
    with closing(SqliteHistory(path)) as opened:
        return opened.rollups(1e9, 86_400.0)


def measured(path: Path) -> None:
    with closing(SqliteHistory(path)) as made:
        made.append(SMALL)


def spoil_freeze(whole: bytes, chance: random.Random) -> bytes:
    """Any moment, or any bytes."""
    if chance.randrange(2):
        return spoil_bytes(whole, chance)
    year = chance.choice(["0001", "9999", "1970", "10000", "-001", "NaN"])
    zone = chance.choice(["+14:00", "-12:00", "", "Z", "+99:99"])
    return f"until {year}-{chance.choice(['01-01', '12-31', '02-30'])}T23:59:59{zone}\n".encode()


def spoil_rows(whole: bytes, chance: random.Random) -> bytes:
    """Damage what the rows hold, and leave the file a sound one: any value in any column."""
    if chance.randrange(3) == 0:
        return spoil_bytes(whole, chance)

    def damage(path: Path) -> None:
        path.write_bytes(whole)
        with closing(sqlite3.connect(path)) as connection, connection:
            number = chance.randint(1, len(EVENTS))
            if chance.randrange(2):
                (data,) = connection.execute(
                    "SELECT data FROM events WHERE id = ?", (number,)
                ).fetchone()
                spoilt = json.dumps(spoil_tree(json.loads(data), chance))
                connection.execute("PRAGMA ignore_check_constraints = 1")
                connection.execute("UPDATE events SET data = ? WHERE id = ?", (spoilt, number))
            else:
                column = chance.choice(["at", "kind", "plan", "action", "guest", "host", "text"])
                value = chance.choice(["x", b"\xff\xfe", -1.5, 2**40, "\x1b[31m", 9e999])
                connection.execute(f"UPDATE events SET {column} = ? WHERE id = ?", (value, number))

    return sqlite(damage)


POLICY = (ROOT / "policies" / "bigdata.toml").read_bytes()
BALANCE = (ROOT / "policies" / "balance.toml").read_text()
SCENARIO = (ROOT / "simulations" / "hot_host.toml").read_bytes()
EMULATION = b"""<domainCapabilities><arch>x86_64</arch><cpu>
<mode name='host-model' supported='yes'><model>EPYC</model><feature policy='require' name='x'/></mode>
<mode name='custom' supported='yes'><model usable='yes'>qemu64</model></mode></cpu>
<devices><disk supported='yes'><enum name='bus'><value>virtio</value></enum></disk></devices>
</domainCapabilities>"""
NETWORK = b"<network><name>n</name><forward mode='bridge'/><bridge name='br0'/></network>"
POOL = b"<pool type='rbd'><name>p</name><source><host name='m'/><name>r</name></source><target><path>/x</path></target></pool>"
BESIDE = (("policy.toml", ""), ("hosts.toml", HOSTS), ("groups.toml", GROUPS))


def beside(but: str) -> tuple[tuple[str, str], ...]:
    return (("config.toml", CONFIG), *(entry for entry in BESIDE if entry[0] != but))


def config(path: Path) -> object:
    return load(path.with_name("config.toml"))


KINDS = {
    "configuration": Kind("config.toml", CONFIG.encode(), spoil_toml, config, beside=BESIDE),
    "hosts": Kind("hosts.toml", HOSTS.encode(), spoil_toml, config, beside=beside("hosts.toml")),
    "groups": Kind("groups.toml", GROUPS.encode(), spoil_toml, load_groups),
    "policy": Kind(
        "policy.toml", POLICY, spoil_toml, load_policy, beside=(("balance.toml", BALANCE),)
    ),
    "scenario": Kind("scenario.toml", SCENARIO, spoil_toml, load_scenario),
    "observation": Kind("o.json", dump_observation(SMALL).encode(), spoil_json, read_observation),
    "plan": Kind("p.json", dump_plan(PLAN).encode(), spoil_json, read_plan),
    "domain": Kind(
        "d.xml",
        (XML / "domains" / "devices.xml").read_bytes(),
        spoil_xml,
        text_reader(read_domain, metadata),
        Unreadable,
    ),
    "labelled domain": Kind(
        "d.xml",
        (XML / "domains" / "nova.xml").read_bytes(),
        spoil_xml,
        text_reader(read_domain, metadata),
        Unreadable,
    ),
    "capabilities": Kind(
        "c.xml",
        (XML / "hosts" / "capabilities.xml").read_bytes(),
        spoil_xml,
        text_reader(read_capabilities),
        Unreadable,
    ),
    "emulation": Kind("e.xml", EMULATION, spoil_xml, text_reader(read_emulation), Unreadable),
    "network": Kind("n.xml", NETWORK, spoil_xml, text_reader(read_network), Unreadable),
    "pool": Kind("s.xml", POOL, spoil_xml, text_reader(read_pool), Unreadable),
    "journal": Kind("journal.sqlite", sqlite(journal), spoil_rows, told),
    "history": Kind("history.sqlite", sqlite(measured), spoil_bytes, past),
    "freeze": Kind("FREEZE", b"until 2026-12-24T18:00:00+01:00\nwork\n", spoil_freeze, frozen),
    "closed": Kind("closed.json", closed(), spoil_json, lambda p: ClosedHosts(p).known()),
    "status": Kind("status.json", status(), spoil_json, read_status),
    "metrics": Kind("m.json", INSTANT, spoil_json, metrics),
}
PER_KIND = 50
"""Spoilt documents of each kind in CI; twenty times as many in the soak."""
SIDECARS = ("-wal", "-shm", "-journal")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_whole_documents_are_read(kind: Kind) -> None:
    """What is spoilt below is good before."""
    with tempfile.TemporaryDirectory() as folder:
        lay_out(kind, kind.whole, Path(folder))
        kind.read(Path(folder) / kind.file)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(max_examples=PER_KIND)
@given(seed=st.integers(0, 2**32))
def test_spoilt_documents_are_read_or_refused_in_one_sentence(kind: Kind, seed: int) -> None:
    """Bytes turned, cut off, types swapped, huge numbers, NaN, deep nests, hostile words."""
    fuzz(kind, seed)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@settings(max_examples=20 * PER_KIND)
@given(seed=st.integers(2**32, 2**40))
def test_many_more_spoilt_documents(kind: Kind, seed: int) -> None:
    """The same, twenty times as often, with other seeds."""
    fuzz(kind, seed)


def lay_out(kind: Kind, content: bytes, folder: Path) -> None:
    for name, text in kind.beside:
        (folder / name).write_text(text)
    (folder / kind.file).write_bytes(content)


def fuzz(kind: Kind, seed: int) -> None:
    chance = random.Random(seed)
    spoilt = kind.spoil(kind.whole, chance)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(kind, spoilt, folder)
        try:
            kind.read(folder / kind.file)
        except kind.refusal as refusal:
            said = str(refusal)
            assert said.isprintable(), said
            assert len(said) < LONGEST, said
        left = {p.name for p in folder.iterdir() if not p.name.endswith(SIDECARS)}
        assert left == {kind.file, *(n for n, _ in kind.beside)}
        if kind.file.endswith((".toml", ".json", ".xml", "FREEZE")):
            assert (folder / kind.file).read_bytes() == spoilt
