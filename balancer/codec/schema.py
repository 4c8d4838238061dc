"""The published JSON Schemas. `python -m balancer.codec.schema FOLDER` writes them."""

import json
import sys
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from balancer.codec.envelopes import ObservationDocument, PlanDocument
from balancer.codec.files import write_atomically

PUBLISHED: Final[dict[str, type[BaseModel]]] = {
    "observation-1.json": ObservationDocument,
    "plan-1.json": PlanDocument,
}
"""File name to the document it describes."""


def schema_text(kind: type[BaseModel]) -> str:
    """Return the schema of one kind of document, as its file holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **kind.model_json_schema(),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def publish(folder: Path) -> None:
    """Write every published schema into `folder`."""
    for name, kind in PUBLISHED.items():
        write_atomically(folder / name, schema_text(kind))


if __name__ == "__main__":
    publish(Path(sys.argv[1]))
