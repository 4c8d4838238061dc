"""The page on scenarios names every key there is."""

import re
from pathlib import Path

from balancer.simulator import bigdata, expectation, happenings, population, recorded, scenario
from balancer.simulator.workloads import SHAPES

SIMULATIONS = Path(__file__).resolve().parents[2] / "simulations"


def test_every_key_and_every_scenario_is_on_the_page() -> None:
    """What can be written is explained; what ships is listed."""
    page = (SIMULATIONS / "README.md").read_text()
    words = set(re.findall(r"[a-z_]+(?:\.toml)?", page))
    keys = {
        *scenario.KEYS,
        *population.HOST_KEYS,
        *population.GUEST_KEYS,
        *bigdata.KEYS,
        *recorded.KEYS,
        *happenings.KEYS,
        *(key for keys in happenings.KEYS.values() for key in keys),
        *expectation.KEYS,
        *(SHAPES.keys() - {"constant"}),
        *(path.name for path in SIMULATIONS.glob("*.toml")),
    }
    assert keys - words == set()
