"""`python -m benchmarks.ordering.beside A B … -o BOTH`: instances side by side, with nothing shared."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Instance = Mapping[str, Any]


def beside(instances: Sequence[Instance]) -> dict[str, Any]:
    """Return one instance of all `instances`, each with hosts, links and guests of its own.

    Steps aside are allowed if they are in all; limits on everything are not taken over.
    """
    parts = [_renamed(f"{n}.", instance) for n, instance in enumerate(instances)]
    return {
        "format": "vmig-instance/1",
        "name": "+".join(instance["name"] for instance in instances),
        "resources": instances[0]["resources"],
        **{
            key: [one for part in parts for one in part[key]]
            for key in ("hosts", "links", "vms", "moves")
        },
        "rules": {
            rule: [one for part in parts for one in part[rule]]
            for rule in ("anti_affinity", "forbidden")
        },
        "limits": {
            "max_parallel": None,
            "temp_moves": all(one["limits"].get("temp_moves", True) for one in instances),
            "cold": False,
        },
        "known": {},
    }


def _renamed(prefix: str, instance: Instance) -> dict[str, list[Any]]:
    def named(ids: Sequence[str]) -> list[str]:
        return [prefix + one for one in ids]

    def host(one: Mapping[str, Any]) -> dict[str, Any]:
        links = {way: named(one[way]) for way in ("links_out", "links_in") if way in one}
        rack = {} if one.get("rack") is None else {"rack": f"{prefix}{one['rack']}"}
        return {**one, "id": prefix + one["id"], **links, **rack}

    rules = instance["rules"]
    return {
        "hosts": [host(one) for one in instance["hosts"]],
        "links": [{**one, "id": prefix + one["id"]} for one in instance.get("links", [])],
        "vms": [
            {**one, "id": prefix + one["id"], "host": prefix + one["host"]}
            for one in instance["vms"]
        ],
        "moves": [
            {**one, "vm": prefix + one["vm"], "to": prefix + one["to"]}
            for one in instance["moves"]
        ],
        "anti_affinity": [named(group) for group in rules.get("anti_affinity", [])],
        "forbidden": [[prefix + vm, named(hosts)] for vm, hosts in rules.get("forbidden", [])],
    }


def main() -> None:
    """Read instances, write them as one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instances", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    asked = parser.parse_args()
    one = beside([json.loads(path.read_text()) for path in asked.instances])
    asked.output.write_text(json.dumps(one))


if __name__ == "__main__":
    main()
