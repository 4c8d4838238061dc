"""The documents there are: what each envelope is called and what it holds."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

from balancer.planner.model.observation import Observation
from balancer.planner.model.plan import Infeasible, Outcome, Plan
from balancer.planner.model.resize import Resized
from balancer.planner.model.weighed import Weighed
from balancer.ports import Event

RULES: Final = ConfigDict(
    extra="forbid",  # pydantic hands this down to the plain dataclasses inside
    strict=True,
    frozen=True,
    allow_inf_nan=False,
    use_attribute_docstrings=True,
    defer_build=True,
    ser_json_bytes="base64",
    val_json_bytes="base64",
)


class ObservationDocument(BaseModel):
    """One look at a whole cluster: what `balancer observe` writes and `--from` reads."""

    model_config = RULES
    format: Literal["balancer-observation/1"] = "balancer-observation/1"
    """What this document is, and the version of its form."""
    observation: Observation


class PlanDocument(BaseModel):
    """A plan: what `balancer plan -o` writes and `balancer apply` judges and carries out."""

    model_config = RULES
    format: Literal["balancer-plan/1"] = "balancer-plan/1"
    """What this document is, and the version of its form."""
    plan: Plan


class InfeasibleDocument(BaseModel):
    """Why there is no plan."""

    model_config = RULES
    format: Literal["balancer-infeasible/1"] = "balancer-infeasible/1"
    """What this document is, and the version of its form."""
    infeasible: Infeasible


class EventDocument(BaseModel):
    """One line of the journal."""

    model_config = RULES
    format: Literal["balancer-event/1"] = "balancer-event/1"
    """What this document is, and the version of its form."""
    event: Event


class OutcomeDocument(BaseModel):
    """How one action ended; journal events carry it under `data`."""

    model_config = RULES
    format: Literal["balancer-outcome/1"] = "balancer-outcome/1"
    """What this document is, and the version of its form."""
    outcome: Outcome


class ResizedDocument(BaseModel):
    """How one resize ended; journal events carry it under `data`."""

    model_config = RULES
    format: Literal["balancer-resized/1"] = "balancer-resized/1"
    """What this document is, and the version of its form."""
    resized: Resized


ANYTHING: Final[TypeAdapter[object]] = TypeAdapter(object)
"""Turns any value of the model into JSON-able data, by its own type."""

WEIGHED: Final[TypeAdapter[Weighed]] = TypeAdapter(Weighed)
"""Reads the reasons of a move back."""
