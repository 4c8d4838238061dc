"""Values to JSON text and back. The text is the same for the same value, byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from balancer.codec.envelopes import (
    ANYTHING,
    WEIGHED,
    EventDocument,
    InfeasibleDocument,
    ObservationDocument,
    OutcomeDocument,
    PlanDocument,
    ResizedDocument,
)
from balancer.codec.escapes import visible
from balancer.codec.faults import printable, sentence
from balancer.codec.integrity import observation_faults, plan_faults
from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Action, Infeasible, Outcome, Plan, Result
from balancer.planner.model.resize import Resized
from balancer.planner.model.weighed import Weighed
from balancer.ports import Event, UsageError

D = TypeVar("D", bound=BaseModel)


def dump_observation(observation: Observation) -> str:
    """Return the document; one host, guest or history to a line, so that two can be compared."""
    small = replace(observation, rollups=observation.rollups.deflated())
    return _text(ObservationDocument(observation=small), depth=4)


def load_observation(text: str | bytes, source: str = "observation") -> Observation:
    """Return the observation in `text`.

    Raises UsageError naming `source` and the place in it where the document is not an
    observation of this version, or contradicts itself.
    """
    observation = _load(ObservationDocument, text, source).observation
    _refuse(source, observation_faults(observation))
    return replace(observation, rollups=observation.rollups.inflated())


def dump_plan(plan: Plan) -> str:
    """Return the document; one action to a line."""
    return _text(PlanDocument(plan=plan), depth=3)


def load_plan(text: str | bytes, source: str = "plan") -> Plan:
    """Return the plan in `text`. Raises UsageError as load_observation does."""
    plan = _load(PlanDocument, text, source).plan
    _refuse(source, plan_faults(plan))
    return plan


def dump_infeasible(infeasible: Infeasible) -> str:
    """Return the document that says why there is no plan."""
    return _text(InfeasibleDocument(infeasible=infeasible), depth=2)


def dump_event(event: Event) -> str:
    """Return the event on one line."""
    return _text(EventDocument(event=event), depth=0)


def load_event(text: str | bytes, source: str = "event") -> Event:
    """Return the event in `text`. Raises UsageError as load_observation does."""
    return _load(EventDocument, text, source).event


def load_plan_data(data: object, source: str = "journal") -> Plan:
    """Return the plan that `as_data` turned into `data`. Raises UsageError."""
    return load_plan(json.dumps({"format": "balancer-plan/1", "plan": data}), source)


def load_outcome_data(data: object, source: str = "journal") -> Outcome:
    """Return the outcome that `as_data` turned into `data`. Raises UsageError."""
    document = {"format": "balancer-outcome/1", "outcome": data}
    return _outcome(to_json(document, inf_nan_mode="constants").decode(), source)


@lru_cache(maxsize=4096)
def _outcome(text: str, source: str) -> Outcome:
    """Return what is read again and again: every cycle asks the journal how moves ended."""
    return _load(OutcomeDocument, text, source).outcome


def load_action_data(data: object, source: str = "journal") -> Action:
    """Return the action that `as_data` turned into `data`. Raises UsageError."""
    wrapped = {"action": data, "result": Result.FAILED, "started": 0.0, "ended": 0.0}
    return load_outcome_data(wrapped, source).action


def load_resized_data(data: object, source: str = "journal") -> Resized:
    """Return how a resize ended, of what `as_data` turned into `data`. Raises UsageError."""
    document = {"format": "balancer-resized/1", "resized": data}
    return _load(ResizedDocument, json.dumps(document), source).resized


def load_weighed_data(data: object, source: str = "journal") -> Weighed:
    """Return the reasons that `as_data` turned into `data`. Raises UsageError."""
    try:
        return WEIGHED.validate_json(json.dumps(data))
    except ValidationError:
        raise UsageError(f"{source}: the reasons of a move cannot be read") from None


def as_data(value: object) -> object:
    """Return any value of the model as what JSON can hold: dicts, lists, words and numbers."""
    return ANYTHING.dump_python(value, mode="json")


def _load(kind: type[D], text: str | bytes, source: str) -> D:
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(printable(f"{source}: {sentence(kind, text, error)}")) from None


def _refuse(source: str, faults: tuple[str, ...]) -> None:
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise UsageError(printable(f"{source}: {faults[0]}{more}"))


def _text(document: BaseModel, depth: int) -> str:
    return _lines(document.model_dump(mode="json"), depth, "") + "\n"


def _lines(value: object, depth: int, indent: str) -> str:
    """JSON with sorted keys: one item to a line down to `depth`, each deeper item on its line."""
    inner = indent + " "
    if depth and isinstance(value, dict) and value:
        table = cast("Mapping[str, object]", value)
        items = [f"{_flat(k)}: {_lines(v, depth - 1, inner)}" for k, v in sorted(table.items())]
        return "{\n" + ",\n".join(inner + item for item in items) + f"\n{indent}}}"
    if depth and isinstance(value, list) and value:
        items = [inner + _lines(v, depth - 1, inner) for v in cast("list[object]", value)]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    return _flat(value)


def _flat(value: object) -> str:
    return visible(json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False))
