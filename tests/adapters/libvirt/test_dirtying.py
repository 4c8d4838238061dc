"""How fast guests change their memory is asked of few, and nobody waits for one that cannot tell."""

import libvirt
import pytest

from balancer.adapters.libvirt.dirtying import FRESH, LibvirtDirtyMeter
from tests.adapters.libvirt.fakes import error

BUSY = {"dirtyrate.calc_status": libvirt.VIR_DOMAIN_DIRTYRATE_MEASURING}


def known(rate: int) -> dict[str, int]:
    return {
        "dirtyrate.calc_status": libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED,
        "dirtyrate.megabytes_per_second": rate,
    }


@pytest.fixture
def meter(configs, clock):
    made = LibvirtDirtyMeter(configs(answer_within=0.5), clock)
    yield made
    made.close()


def test_only_those_asked_about_are_measured_and_for_a_while_not_again(meter, hosts, clock):
    """An answer is waited for, given again while it is fresh, and asked for anew after that."""
    hosts["a"].add(uuid="fast", dirtying=[BUSY, BUSY, known(40)])
    hosts["a"].add(uuid="other", dirtying=[known(7)])
    hosts["b"].add(uuid="still", dirtying=[known(0)])
    assert meter.rates({"fast": "a", "still": "b"}) == {"fast": 40, "still": 0}
    assert (hosts["a"].asked, hosts["b"].asked) == (["fast"], ["still"])
    assert hosts["a"].opened == ["ordinary"]
    assert meter.rates({"fast": "a"}) == {"fast": 40}
    assert hosts["a"].asked == ["fast"]
    clock.sleep(FRESH)
    assert meter.rates({"fast": "a", "other": "a"}) == {"fast": 40, "other": 7}
    assert hosts["a"].asked == ["fast", "fast", "other"]


def test_guests_that_cannot_tell_are_left_out(meter, hosts, clock):
    """Gone, too old, never done, on a host that fails or is none of ours: the others are told."""
    hosts["a"].add(uuid="old")
    hosts["a"].add(uuid="endless", dirtying=[BUSY])
    hosts["a"].add(uuid="good", dirtying=[known(3)])
    hosts["b"].failing["lookupByUUIDString"] = error(libvirt.VIR_ERR_INTERNAL_ERROR)
    begin = clock.now()
    asked = dict.fromkeys(("old", "endless", "good", "gone"), "a") | {"x": "b", "y": "nowhere"}
    assert meter.rates(asked) == {"good": 3}
    assert clock.now() - begin < 10
    hosts["b"].failing["open"] = error(libvirt.VIR_ERR_RPC)
    assert meter.rates({"x": "b"}) == {}
    assert meter.rates({}) == {}
