"""vCPUs plugged and taken: what the quota of all becomes, and what a guest's kernel does not let go."""

from dataclasses import replace

import libvirt
import pytest

from balancer.adapters.libvirt.resizing import takes_at_most
from balancer.adapters.libvirt.vcpus import NEXT_BOOT, set_vcpus
from balancer.planner.model.resize import Resize, What

PLUG = Resize(id="r1", guest="g", name="g", host="h", what=What.VCPUS, before=2, after=3)
TAKE = replace(PLUG, before=3, after=2)


class Fault(libvirt.libvirtError):
    """An error with a code of its own."""

    def __init__(self, code: int) -> None:
        super().__init__("no")
        self.code = code

    def get_error_code(self) -> int:
        """Return it."""
        return self.code


class Domain:
    """A guest with a quota for each of its vCPUs, 0 for none, that refuses with a code, or does not."""

    def __init__(self, vcpus: int, quota: int = 0, code: int = 0, *, deaf: bool = False) -> None:
        self.vcpus, self.quota, self.code, self.deaf = vcpus, quota, code, deaf
        self.done = list[str]()

    def vcpusFlags(self, _: int) -> int:  # noqa: N802
        """Return how many it has."""
        return self.vcpus

    def setVcpusFlags(self, count: int, _: int) -> None:  # noqa: N802
        """Have so many, or refuse."""
        self.done.append(f"vcpus {count}")
        if self.code:
            raise Fault(self.code)
        self.vcpus = self.vcpus if self.deaf else count

    def schedulerParametersFlags(self, _: int) -> dict[str, int]:  # noqa: N802
        """Return its quota."""
        return {"vcpu_quota": self.quota or -1}

    def setSchedulerParametersFlags(self, asked: dict[str, int], _: int) -> None:  # noqa: N802
        """Set it."""
        self.quota = asked["vcpu_quota"]
        self.done.append(f"quota {self.quota}")


def test_the_quota_of_all_together_stays() -> None:
    """Each vCPU's own is lowered before one is plugged, and raised after one is gone."""
    more = Domain(2, quota=90_000)
    assert set_vcpus(more, PLUG, 1000) == ""
    assert more.done == ["quota 60000", "vcpus 3"]
    fewer = Domain(3, quota=60_000)
    assert set_vcpus(fewer, TAKE, 1000) == ""
    assert fewer.done == ["vcpus 2", "quota 90000"]
    free = Domain(2)
    assert set_vcpus(free, PLUG, 1000) == ""
    assert free.done == ["vcpus 3"]


def test_what_does_not_happen_leaves_the_quota_as_it_was() -> None:
    """A plug that is refused is the caller's to tell; a vCPU that is kept is said to go at the next boot."""
    more = Domain(2, quota=90_000, code=libvirt.VIR_ERR_OPERATION_INVALID)
    with pytest.raises(Fault):
        set_vcpus(more, PLUG, 1000)
    assert (more.vcpus, more.quota) == (2, 90_000)
    kept = Domain(3, quota=60_000, code=libvirt.VIR_ERR_OPERATION_TIMEOUT)
    assert set_vcpus(kept, TAKE, 1000) == NEXT_BOOT
    assert (kept.vcpus, kept.quota) == (3, 60_000)
    assert kept.done == ["vcpus 2"]
    lost = Domain(3, code=libvirt.VIR_ERR_NO_DOMAIN)
    with pytest.raises(Fault):
        set_vcpus(lost, TAKE, 1000)
    assert set_vcpus(Domain(2, deaf=True), PLUG, 1000) == "it has 2 vCPUs and not 3"


def test_libvirt_waits_for_each_that_is_taken() -> None:
    """So must whoever asks it."""
    assert takes_at_most(PLUG) == 0
    assert takes_at_most(replace(TAKE, before=5)) == 18
