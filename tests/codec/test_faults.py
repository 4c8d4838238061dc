"""A wrong document is told what it is, where it is wrong, and what to do."""

import json

import pytest

from balancer.codec import dump_observation, load_observation, load_plan
from balancer.ports import UsageError
from tests.codec.documents import SMALL

TEXT = dump_observation(SMALL)


def fault(text: str | bytes) -> str:
    with pytest.raises(UsageError) as caught:
        load_observation(text, "case.json")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "case.json: is not JSON: EOF"),
        (b"\xff", "case.json: is not JSON"),
        ("[" * 100_000, "case.json: is not JSON: recursion limit"),
        ("[]", 'case.json: is not a balancer document: expected an object with "format"'),
        ("{}", 'expected an object with "format": "balancer-observation/1"'),
        ('{"format": "balancer-plan/1"}', "this is another document"),
        ('{"format": "balancer-observation/2"}', "newer than this version reads"),
        ('{"format": "balancer-observation/2"}', "upgrade balancer"),
        ('{"format": "balancer-observation/0"}', "write it again with this version"),
        ('{"format": "balancer-observation/x"}', "write it again with this version"),
        ('{"format": "balancer-observation/1"}', "observation: missing"),
    ],
)
def test_what_is_no_observation_says_so(text: str | bytes, said: str) -> None:
    """Not JSON, another kind, another version: each has its own sentence."""
    assert said in fault(text)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ('"autostart"', '"autostrat"', 'guests[0].autostrat: unknown key; did you mean "autostart"?'),
        ('"autostart"', '"qqqqqqq"', "guests[0].qqqqqqq: unknown key; remove it"),
        ('"running"', '"sleeping"', 'guests[0].state = "sleeping": input should be'),
        ('"window": 30.0', '"window": NaN', "window = NaN: input should be a finite number"),
        ('"window": 30.0', '"window": true', "window = true: input should be"),
        ('"doubts": []', '"doubts": ["a", 3]', "observation.doubts[1] = 3: input should be"),
        ('"cpu": 16000', '"cpu": 1.5', "hosts[0].capacity.cpu = 1.5: input should be"),
    ],
)  # fmt: skip
def test_a_fault_names_the_place(was: str, now: str, said: str) -> None:
    """The path in the document, the value, and what it should be."""
    assert was in TEXT
    assert said in fault(TEXT.replace(was, now, 1))


def test_more_faults_are_counted_and_long_values_cut() -> None:
    """One sentence, however much is wrong."""
    text = fault(TEXT.replace('"autostart": false', f'"autostart": "{"x" * 500}"'))
    assert "(and 1 more)" in text
    assert len(text) < 250


def test_control_characters_do_not_reach_the_terminal() -> None:
    """A hostile key is shown harmlessly."""
    document = json.loads(TEXT)
    document["observation"]["\x1b[2J"] = 1
    assert fault(json.dumps(document)).isprintable()


def test_a_plan_is_checked_like_an_observation() -> None:
    """The same sentences, of the plan's own format."""
    with pytest.raises(UsageError, match='expected "balancer-plan/1": this is another document'):
        load_plan(TEXT, "p.json")
