"""The schemas that are published describe the documents that are written."""

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from balancer.codec import dump_observation, dump_plan
from balancer.codec.schema import PUBLISHED, publish, schema_text
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Plan
from tests.codec.documents import SMALL, observations, plans

FOLDER = Path(__file__).parents[2] / "docs/schemas"
VALIDATORS = {
    name: jsonschema.Draft202012Validator(json.loads(schema_text(kind)))
    for name, kind in PUBLISHED.items()
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_schema_is_the_codes(name: str) -> None:
    """Stale? Run `python -m balancer.codec.schema docs/schemas`."""
    assert (FOLDER / name).read_text() == schema_text(PUBLISHED[name])


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_is_a_schema(name: str) -> None:
    """It keeps the rules of its own kind, and bars keys it does not know."""
    jsonschema.Draft202012Validator.check_schema(VALIDATORS[name].schema)
    assert VALIDATORS[name].schema["additionalProperties"] is False


@given(observations())
def test_every_observation_written_validates(seen: Observation) -> None:
    """No document of ours breaks the schema we publish."""
    VALIDATORS["observation-1.json"].validate(json.loads(dump_observation(seen)))


@given(plans())
def test_every_plan_written_validates(plan: Plan) -> None:
    """No document of ours breaks the schema we publish."""
    VALIDATORS["plan-1.json"].validate(json.loads(dump_plan(plan)))


def test_the_schema_refuses_what_the_code_refuses() -> None:
    """An unknown key deep within is no valid document."""
    document = json.loads(dump_observation(SMALL))
    document["observation"]["cluster"]["hosts"][0]["racks"] = "r1"
    assert not VALIDATORS["observation-1.json"].is_valid(document)


def test_schemas_can_be_written_anew(tmp_path: Path) -> None:
    """The command that contributors run writes every one."""
    publish(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(PUBLISHED)
