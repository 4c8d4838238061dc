"""Opening room for large guests: every move feasible at its turn, and never for the worse."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.vmr2l import main, read


def drawn(seed: int, path: Path) -> Path:
    chance = np.random.default_rng(seed)
    hosts, vms = 12, []
    for host in range(hosts):
        free = [44, 44]
        for _ in range(20):
            cells = [0, 1] if chance.random() < 0.2 else [int(chance.integers(2))]
            share = int(chance.choice([2, 4, 8, 16]))
            if all(free[c] >= share for c in cells):
                for c in cells:
                    free[c] -= share
                cpu = share * len(cells)
                vms.append(
                    {
                        "id": f"vm_{len(vms)}",
                        "host": f"pm_{host}",
                        "numa": cells,
                        "cpu": cpu,
                        "mem": 2048 * cpu,
                        "movable": bool(chance.random() < 0.9),
                    }
                )
    document = {
        "fr_flavour_cpu": 16,
        "hosts": [
            {"id": f"pm_{h}", "numa_cpu": [44, 44], "numa_mem": [95_000, 95_000]}
            for h in range(hosts)
        ],
        "vms": vms,
    }
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("limit", [3, 12])
def test_moves_are_feasible_one_by_one(seed: int, limit: int, tmp_path: Path) -> None:
    """Replayed in plain terms no cell is over-full at any turn, and slots only become more."""
    file, out = drawn(seed, tmp_path / "in.json"), tmp_path / "out.json"
    result = CliRunner().invoke(
        main, [str(file), "--limit", str(limit), "--seconds", "2", "-o", str(out)]
    )
    assert result.exit_code == 0, result.output
    found, done = json.loads(result.output), json.loads(out.read_text())
    assert len(done) <= limit
    vms = {v["id"]: v for v in json.loads(file.read_text())["vms"]}
    cells = {(f"pm_{h}", c): [44, 95_000] for h in range(12) for c in (0, 1)}

    def put(vm: dict, host: str, numa: list[int], sign: int) -> None:
        for c in numa:
            cells[host, c][0] -= sign * vm["cpu"] // len(numa)
            cells[host, c][1] -= sign * vm["mem"] // len(numa)

    for vm in vms.values():
        put(vm, vm["host"], vm["numa"], 1)
    for step in done:
        vm = vms[step["vm"]]
        assert vm["movable"]
        put(vm, vm["host"], vm["numa"], -1)
        put(vm, step["host"], step["numa"], 1)
        assert min(min(free) for free in cells.values()) >= 0
    free = sum(cpu for cpu, _ in cells.values())
    rate = 1 - 16 * sum(cpu // 16 for cpu, _ in cells.values()) / free
    assert rate == pytest.approx(found["after"], abs=1e-4)
    assert found["at_least"] <= found["after"] + 1e-4
    assert found["after"] < found["before"]


def test_without_time_the_greedy_answer_stands(tmp_path: Path) -> None:
    """A solver that had no time still leaves room opened."""
    file = drawn(4, tmp_path / "in.json")
    before = read(file).fragment_rate()
    result = CliRunner().invoke(main, [str(file), "--seconds", "0.000001"])
    assert json.loads(result.output)["after"] < before
