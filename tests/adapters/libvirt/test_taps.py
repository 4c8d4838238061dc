"""Memory plugged by virtio-mem: asked for as the device is, and there once the guest has it."""

from xml.etree.ElementTree import fromstring

import libvirt
import pytest

from balancer.adapters.libvirt import balloon
from balancer.adapters.libvirt.balloon import deflate, inflate
from balancer.planner.model.resize import Resize, What

GIVE = Resize(
    id="r1", guest="g", name="g", host="h", what=What.PLUGGED, before=128, after=256, step=64,
    keep=100,
)  # fmt: skip
TAKE = Resize(
    id="r2", guest="g", name="g", host="h", what=What.PLUGGED, before=256, after=128, step=64,
    keep=100,
)  # fmt: skip


class Domain:
    """A guest with a virtio-mem device, whose kernel keeps so much of it come what may."""

    def __init__(self, has: int, keeps: int = 0, unused: int = 400) -> None:
        self.has, self.keeps, self.unused = has, keeps, unused
        self.asked, self.looks = list[int](), 0
        self.device = True

    def XMLDesc(self) -> str:  # noqa: N802
        """Return it as libvirt writes it."""
        target = (
            "<size unit='KiB'>524288</size><node>0</node><block unit='KiB'>2048</block>"
            f"<requested unit='KiB'>{self.has * 1024}</requested>"
            f"<current unit='KiB'>{max(self.has, self.keeps) * 1024}</current>"
        )
        held = f"<memory model='virtio-mem'><target>{target}</target><alias name='virtiomem0'/></memory>"
        return f"<domain><memory unit='KiB'>1</memory><devices>{held * self.device}</devices></domain>"

    def updateDeviceFlags(self, text: str, flags: int) -> None:  # noqa: N802
        """Note what is asked for of which device."""
        root = fromstring(text)
        assert (root.tag, root.get("model"), flags) == ("memory", "virtio-mem", 1)
        assert root.find("alias") is not None
        requested = root.find("target/requested")
        assert requested is not None
        assert requested.get("unit") == "MiB"
        self.has = int(requested.text or "")
        self.asked.append(self.has)

    def memoryStats(self) -> dict[str, int]:  # noqa: N802
        """Return what it says."""
        self.looks += 1
        return {"unused": self.unused * 1024, "last_update": self.looks}


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balloon, "ANSWERING", 0.2)
    monkeypatch.setattr(balloon, "POLL", 0.0)


def test_memory_is_plugged_at_once_and_taken_in_steps() -> None:
    """With a look at fresh statistics between two steps."""
    domain = Domain(128)
    assert deflate(domain, GIVE) == ""
    assert domain.asked == [256]
    assert inflate(domain, TAKE) == ""
    assert domain.asked == [256, 192, 128]


def test_what_a_kernel_keeps_is_put_back() -> None:
    """It has what it had: what was not given up cannot be given to another."""
    domain = Domain(256, keeps=200)
    told = "its kernel does not follow with the memory that is plugged: put back to 256 MiB"
    assert inflate(domain, TAKE) == told
    assert domain.asked == [192, 256]
    pressed = Domain(256, unused=40)
    assert "40 MiB unused of the 100 MiB" in inflate(pressed, TAKE)
    assert pressed.asked[-1] == 256


def test_a_device_that_is_gone_is_told() -> None:
    """Somebody unplugged it."""
    domain = Domain(128)
    domain.device = False
    with pytest.raises(libvirt.libvirtError, match="no virtio-mem device"):
        deflate(domain, GIVE)
