"""Observation, plan and journal events as versioned JSON, and how files of it are kept whole.

The model's dataclasses are the wire format: a document is an envelope that names its format and
holds one value. Import this where documents are read or written: it brings pydantic with it.
"""

from balancer.codec.documents import (
    as_data,
    dump_event,
    dump_infeasible,
    dump_observation,
    dump_plan,
    load_action_data,
    load_event,
    load_observation,
    load_outcome_data,
    load_plan,
    load_plan_data,
    load_resized_data,
    load_weighed_data,
)
from balancer.codec.escapes import visible
from balancer.codec.files import (
    read_document,
    read_observation,
    read_plan,
    write_atomically,
)

__all__ = [
    "as_data",
    "dump_event",
    "dump_infeasible",
    "dump_observation",
    "dump_plan",
    "load_action_data",
    "load_event",
    "load_observation",
    "load_outcome_data",
    "load_plan",
    "load_plan_data",
    "load_resized_data",
    "load_weighed_data",
    "read_document",
    "read_observation",
    "read_plan",
    "visible",
    "write_atomically",
]
