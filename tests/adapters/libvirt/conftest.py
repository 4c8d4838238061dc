"""Fake hypervisors behind the real connections, and a clock that does not wait."""

from collections.abc import Callable

import pytest

from balancer.adapters.libvirt import baseline, connection, emulation
from balancer.config.host import HostConfig
from tests.adapters.libvirt.fakes import FakeHost


class StillClock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeHost]:
    """Hosts a and b; opening `fake://a` leads to a."""
    found = {name: FakeHost(name) for name in ("a", "b")}

    def open_one(uri: str, *, read_only: bool) -> FakeHost:
        host = found[uri.removeprefix("fake://")]
        host.opened.append("read-only" if read_only else "ordinary")
        if "open" in host.failing:
            raise host.failing["open"]
        return host

    monkeypatch.setattr(connection, "open_one", open_one)
    monkeypatch.setattr(emulation, "open_one", open_one)
    monkeypatch.setattr(baseline, "open_one", open_one)
    return found


@pytest.fixture
def configs(hosts) -> Callable[..., tuple[HostConfig, HostConfig]]:
    def make(**declared):
        given = {"storage": ("images",), "answer_within": 2.0} | declared
        a, b = (
            HostConfig(
                name=name,
                uri=f"fake://{name}",
                peer_uri=f"qemu+tls://{name}.mig/system",
                migration_address=f"{name}-mig",
                **given,
            )
            for name in hosts
        )
        return a, b

    return make
