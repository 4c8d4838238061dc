"""Where images lie, in their host's words."""

import pytest

from balancer.adapters.libvirt.disks import Disk, Nic, disks, nics
from balancer.adapters.libvirt.document import parse


def devices(xml: str):
    return parse(f"<domain><devices>{xml}</devices></domain>").root


@pytest.mark.parametrize(
    ("disk", "locus"),
    [
        ("<disk type='file'><source file='/a/../b//c'/></disk>", "/b/c"),
        ("<disk type='file'><source file='//srv/x'/></disk>", "/srv/x"),
        ("<disk type='block'><source dev='/dev/vg/lv'/></disk>", "/dev/vg/lv"),
        ("<disk type='dir'><source dir='/fat'/></disk>", "/fat"),
        ("<disk type='network'><source protocol='iscsi' name='iqn/1'/></disk>", "iscsi:iqn/1"),
        ("<disk type='network'><source/></disk>", "?:"),
        ("<disk type='odd'><source file='x'/></disk>", "odd:x"),
    ],
)
def test_loci(disk, locus):
    """Paths are tidied before anybody compares them; what is odd stays odd."""
    assert disks(devices(disk)) == (Disk("", locus),)


def test_empty_drives_need_nothing():
    """No source, or an empty one, is no image."""
    assert disks(devices("<disk device='cdrom'><source/></disk><disk device='floppy'/>")) == ()


def test_cards_that_need_no_network():
    """User networking goes with the guest; passed-through cards are ties, not networks."""
    xml = "<interface type='user'/><interface type='hostdev'/><interface type='vhostuser'><source path='/s'/></interface>"
    assert nics(devices(xml)) == (Nic("vhostuser", "/s"),)
