"""What is written is read back as it was, and anything else is one clear sentence."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.codec import (
    as_data,
    dump_event,
    dump_infeasible,
    dump_observation,
    dump_plan,
    load_event,
    load_observation,
    load_outcome_data,
    load_plan,
    load_plan_data,
)
from balancer.planner.model.cluster import Cluster, Guest, Host
from balancer.planner.model.observation import History, Observation, Sample
from balancer.planner.model.plan import Infeasible, Outcome, Plan
from balancer.ports import Event, UsageError
from tests.codec.documents import PLAN, SMALL, observations, outcomes, plans

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@given(observations())
def test_an_observation_survives_the_journey(seen: Observation) -> None:
    """Loading what was dumped gives an equal observation, and dumping that the same bytes."""
    text = dump_observation(seen)
    again = load_observation(text)
    assert again == seen
    assert dump_observation(again) == text


@given(plans())
def test_a_plan_survives_the_journey(plan: Plan) -> None:
    """Loading what was dumped gives an equal plan, through text and through data alike."""
    assert load_plan(dump_plan(plan)) == plan
    assert load_plan_data(json.loads(json.dumps(as_data(plan)))) == plan


@given(outcomes())
def test_events_carry_plans_and_outcomes(outcome: Outcome) -> None:
    """An event is one line, and the outcome within is read back as it was."""
    event = Event(1.0, "ended", data={"outcome": as_data(outcome)})
    line = dump_event(event)
    assert line.count("\n") == 1
    assert load_outcome_data(load_event(line).data["outcome"]) == outcome


def test_the_text_does_not_depend_on_the_order_of_keys() -> None:
    """Equal observations are equal files, whatever order their mappings were filled in."""
    turned = dict(reversed(SMALL.cluster.placement.items()))
    first, *others = SMALL.cluster.hosts
    same = replace(first, capacity=dict(reversed(first.capacity.items())))
    cluster = replace(SMALL.cluster, placement=turned, hosts=(same, *others))
    other = replace(SMALL, cluster=cluster)
    assert dump_observation(other) == dump_observation(SMALL)


def test_each_guest_is_one_line() -> None:
    """Two observations can be compared with diff."""
    lines = dump_observation(SMALL).splitlines()
    assert sum('"name": "web-1"' in line for line in lines) == 1


def test_no_plan_is_a_document_too() -> None:
    """Why there is none can be read by programs."""
    document = json.loads(dump_infeasible(Infeasible(reason="full", conflicting=("capacity",))))
    assert document["format"] == "balancer-infeasible/1"
    assert document["infeasible"]["conflicting"] == ["capacity"]


@given(st.data())
def test_a_mutated_document_loads_or_is_refused_in_one_line(data: st.DataObject) -> None:
    """Whatever is put in any place: a value of the right type, or a UsageError without newline."""
    kind, text = data.draw(
        st.sampled_from([("o", dump_observation(SMALL)), ("p", dump_plan(PLAN))])
    )
    document = json.loads(text)
    parents = [(node, key) for node in _containers(document) for key in _keys(node)]
    node, key = data.draw(st.sampled_from(parents))
    if data.draw(st.booleans()):
        node[key] = data.draw(anything)
    elif isinstance(node, dict):
        node[data.draw(st.text(max_size=6))] = node.pop(key)
    else:
        node.insert(0, node[key])
    _loads_or_refuses(kind, json.dumps(document))


@given(st.integers(0, 10_000), st.binary(max_size=4))
def test_damaged_text_loads_or_is_refused_in_one_line(at: int, junk: bytes) -> None:
    """A file cut short or written over never raises anything but a UsageError."""
    whole = dump_observation(SMALL).encode()
    _loads_or_refuses("o", whole[:at] + junk + whole[at + len(junk) :])
    _loads_or_refuses("o", whole[:at])


def _loads_or_refuses(kind: str, text: str | bytes) -> None:
    told = ""
    try:
        loaded = load_observation(text, "x.json") if kind == "o" else load_plan(text, "x.json")
        assert isinstance(loaded, Observation | Plan)
    except UsageError as error:
        told = str(error)
    assert not told or told.startswith("x.json: ")
    assert told.isprintable()


def _containers(value: object) -> Iterator[dict[str, object] | list[object]]:
    if isinstance(value, dict | list):
        yield value
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _containers(inner)


def _keys(node: Mapping[str, object] | list[object]) -> list[object]:
    return list(node) if isinstance(node, dict) else list(range(len(node)))


@pytest.mark.slow
def test_ten_thousand_guests_take_two_seconds_at_most() -> None:
    """Dump and load of a large cluster together, in seconds of CPU."""
    hosts = tuple(Host(name=f"h{i}", capacity={"cpu": 64_000}) for i in range(400))
    guests = tuple(
        Guest(
            uuid=f"00000000-0000-0000-0000-{i:012}",
            name=f"g{i}",
            allocation={"vcpus": 2, "memory": 2048},
            labels={"role": "web"},
            networks=("vlan120",),
            storage=("ceph",),
        )
        for i in range(10_000)
    )
    values = {"cpu": 5, "memory.rss": 6, "disk": 7, "network": 8}
    seen = Observation(
        at=1.0,
        cluster=Cluster(hosts, guests, {g.uuid: "h1" for g in guests}),
        history=History({g.uuid: (Sample(1.0, 2.0, values),) for g in guests}),
    )
    began = time.process_time()
    assert load_observation(dump_observation(seen)) == seen
    assert time.process_time() - began < 2.0
