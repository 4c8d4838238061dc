"""A terminal to type at, saved clusters to plan from, and a simulated cluster to change."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from balancer.cli import abort, apply, drain, run, serve, sight
from balancer.codec import dump_observation
from balancer.config import Config, find
from balancer.planner.model.cluster import emptying
from balancer.planner.model.observation import Observation
from balancer.ports import Inventory, Ports, Telemetry
from balancer.simulator.run import Simulation
from balancer.simulator.scenario import load_scenario
from balancer.wiring import brake_of, closed_hosts, journal_of
from tests.drawing import observation

HOT = """
a 16c/64g : web-1 8v/8g cpu=3.9 | web-2 8v/8g cpu=3.9 | web-3 8v/8g cpu=3.9 | db 8v/8g cpu=3.8
b 16c/64g : idle 2v/4g cpu=0.2
c 16c/64g : quiet 2v/4g cpu=1
"""
"""Host a is hot."""
CROWDED = "a 16c/64g : zk-1 4v/8g cpu=1 | zk-2 4v/8g cpu=1"
"""One host: two guests that must be kept apart cannot be."""
APART = 'extends = "balance"\n[[spread]]\nguests = "zk-*"\n'


@dataclass(frozen=True)
class Answer:
    """What a command line came to."""

    code: int
    out: str
    err: str


Terminal = Callable[..., Answer]


@pytest.fixture
def balancer(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """Types a command line in an empty folder; nobody answers questions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("BALANCER_CONFIG", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)

    def type_in(*words: str | Path) -> Answer:
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return type_in


@pytest.fixture
def hot(tmp_path: Path) -> Path:
    """A saved cluster with a hot host."""
    return saved(tmp_path / "hot.json", HOT)


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A saved cluster that breaks the policy in `apart`, with no way out."""
    return saved(tmp_path / "crowded.json", CROWDED)


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """A policy that keeps zk-* on different hosts."""
    file = tmp_path / "apart.toml"
    file.write_text(APART)
    return file


def saved(file: Path, drawing: str) -> Path:
    """Save the drawn cluster as an observation."""
    file.write_text(dump_observation(observation(drawing)))
    return file


@dataclass
class Closing:
    """An inventory in which closed hosts are to be emptied, as that of libvirt is."""

    to: Inventory
    config: Config

    def observe(self) -> Observation:
        """Look, and close."""
        seen = self.to.observe()
        closed = closed_hosts(self.config).known()
        return replace(seen, cluster=emptying(seen.cluster, closed))


@dataclass
class World:
    """The demo's simulated cluster in the place of hypervisors, with a configuration to match."""

    folder: Path
    simulation: Simulation = field(
        default_factory=lambda: Simulation(load_scenario(find("demo", Path.cwd(), "simulations")))
    )
    stop: bool = False
    """Set it, and a stop is requested from the beginning."""
    until: float = float("inf")
    """Virtual time at which a stop is requested."""

    def mode(self, word: str) -> None:
        """Write the configuration."""
        self.folder.joinpath("policy.toml").write_text(
            'extends = "balance"\n[capacity]\nkeep_for_hypervisor = "4GiB"\n'
        )
        self.folder.joinpath("config.toml").write_text(
            f'mode = "{word}"\npolicy = "policy.toml"\nstate = "state"\n'
        )

    def ports_for(
        self,
        config: Config,
        telemetry: Telemetry,
        *,
        read_only: bool,
        keep_journal: bool = False,
        stop_requested: Callable[[], bool] = lambda: False,
    ) -> Ports:
        """Stand in for the wiring of the same name."""
        ports = replace(
            self.simulation.ports,
            inventory=Closing(self.simulation.ports.inventory, config),
            telemetry=telemetry,
            brake=brake_of(config),
            journal=journal_of(config, read_only=read_only and not keep_journal),
            stop_requested=lambda: (
                self.stop or stop_requested() or self.simulation.world.now >= self.until
            ),
        )
        return replace(ports, executor=None) if read_only else ports

    @property
    def placement(self) -> dict[str, str]:
        """Who runs where, by name of the guest."""
        world = self.simulation.world
        return {world.guests[u].spec.name: host for u, host in world.placement.items()}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A simulated cluster behind the verbs, in mode confirm."""
    made = World(tmp_path)
    made.mode("confirm")
    for module in (abort, apply, drain, serve, sight):
        monkeypatch.setattr(module, "ports_for", made.ports_for)
    return made
