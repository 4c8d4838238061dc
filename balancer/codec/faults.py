"""What is wrong with a document, as one sentence that names the place and the remedy."""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final, cast

from pydantic import BaseModel, ValidationError

SHOWN: Final = 60
"""Characters of an offending value that are worth showing."""
LONGEST: Final = 1000
"""Characters of a sentence that are."""


def printable(text: str) -> str:
    """Return `text` without what could disturb a terminal or a log: documents may be hostile."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= LONGEST else clean[: LONGEST - 1] + "…"


def sentence(kind: type[BaseModel], text: str | bytes, error: ValidationError) -> str:
    """Return the first fault of a document that is not of `kind`."""
    expected = str(kind.model_fields["format"].default)
    return _wrong_format(expected, text) or _first(kind, error)


def _wrong_format(expected: str, text: str | bytes) -> str:
    """Say so if the document is another kind or version altogether, else nothing."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""  # not JSON: the parser's own words are better
    if not isinstance(document, dict) or "format" not in document:
        return f'is not a balancer document: expected an object with "format": "{expected}"'
    found = str(document["format"])
    if found == expected:
        return ""
    name, _, version = expected.partition("/")
    other, _, other_version = found.partition("/")
    if other != name:
        return f'format is "{_short(found)}", expected "{expected}": this is another document'
    newer = re.fullmatch(r"\d{1,9}", other_version) and int(other_version) > int(version)
    if newer:
        return (
            f'format is "{found}", newer than this version reads ("{expected}"): '
            f"upgrade balancer, or write the document with the older one"
        )
    return f'format is "{_short(found)}", expected "{expected}": write it again with this version'


def _first(kind: type[BaseModel], error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False)
    fault = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    where = _path(fault["loc"])
    if fault["type"] == "json_invalid":
        return f"is not JSON: {fault['msg'].removeprefix('Invalid JSON: ')}"
    if fault["type"] in {"unexpected_keyword_argument", "extra_forbidden"}:
        return f"{where}: unknown key{_suggestion(kind, str(fault['loc'][-1]))}{more}"
    if fault["type"] in {"missing", "missing_argument", "missing_keyword_only_argument"}:
        return f"{where}: missing{more}"
    message = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{where} = {_short(_json(fault['input']))}: {message}{more}"


def _path(loc: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{_short(part)}" for part in loc)
    return "".join(parts).removeprefix(".") or "the document"


def _suggestion(kind: type[BaseModel], key: str) -> str:
    near = get_close_matches(key, sorted(set(_keys(kind.model_json_schema()))), n=1)
    return f'; did you mean "{near[0]}"?' if near else "; remove it"


def _keys(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        table = cast("Mapping[str, object]", schema)
        properties = table.get("properties")
        if isinstance(properties, dict):
            yield from cast("Mapping[str, object]", properties)
        for value in table.values():
            yield from _keys(value)


def _json(value: object) -> str:
    return json.dumps(value, default=str)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
