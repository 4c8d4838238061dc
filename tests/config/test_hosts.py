"""Hosts files become one checked entry for each hypervisor."""

from pathlib import Path

import pytest

from balancer.config.host import HostConfig
from balancer.config.hosts import hosts_files, read_hosts
from balancer.ports import UsageError

DEFAULTS = """
[defaults]
uri = "qemu+ssh://balancer@{name}/system"
peer_uri = "qemu+tls://{name}.mig/system"
migration_address = "{name}-mig"
labels = { site = "fra" }
link = "10Gbit"
"""


def hosts(folder: Path, text: str, *more: str) -> tuple[HostConfig, ...]:
    folder.mkdir(exist_ok=True)
    for number, content in enumerate((text, *more)):
        (folder / f"{number}.toml").write_text(content)
    return read_hosts(hosts_files([str(folder)], folder))


def fault(folder: Path, text: str, *more: str) -> str:
    with pytest.raises(UsageError) as caught:
        hosts(folder, text, *more)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def test_defaults_ranges_and_overrides_come_together(tmp_path: Path) -> None:
    """Placeholders are filled, tables joined, single hosts changed last."""
    first, second = hosts(
        tmp_path,
        DEFAULTS
        + """
        [[hosts]]
        names = "kvm[01-02]"
        labels = { rack = "r1", alias = "x-{name}" }
        networks = ["vlan120"]
        storage_paths = { nfs = "/srv/{name}" }
        capacity = { memory = "240GiB", cpu = 48 }

        [[overrides]]
        name = "kvm02"
        capacity = { memory = "120GiB" }
        labels = { rack = "r2" }
        answer_within = "30s"
        """,
    )
    assert first == HostConfig(
        name="kvm01",
        uri="qemu+ssh://balancer@kvm01/system",
        peer_uri="qemu+tls://kvm01.mig/system",
        migration_address="kvm01-mig",
        labels={"site": "fra", "rack": "r1", "alias": "x-kvm01"},
        networks=("vlan120",),
        storage=("nfs",),
        storage_paths={"nfs": "/srv/kvm01"},
        capacity={"memory": 245_760, "cpu": 48_000},
        link_kib_s=1_220_703,
    )
    assert second.capacity == {"memory": 122_880, "cpu": 48_000}
    assert second.labels["rack"] == "r2"
    assert second.answer_within == 30.0


def test_what_is_undeclared_stays_unknown(tmp_path: Path) -> None:
    """No networks and an empty list of them are two different things."""
    bare, none = hosts(
        tmp_path,
        '[[hosts]]\nname = "a"\nuri = "qemu:///system"\n'
        '[[hosts]]\nname = "b"\nuri = "qemu://b/system"\nnetworks = []\nstorage = []',
    )
    assert (bare.networks, bare.storage) == (None, None)
    assert (none.networks, none.storage) == ((), ())


def test_defaults_are_for_their_own_file(tmp_path: Path) -> None:
    """A second file says for itself; its overrides may change hosts of the first."""
    said = fault(tmp_path, DEFAULTS + '[[hosts]]\nname = "a"', '[[hosts]]\nname = "b"')
    assert "1.toml: hosts[1].uri: missing; for example" in said
    first, _ = hosts(
        tmp_path,
        DEFAULTS + '[[hosts]]\nname = "a"',
        DEFAULTS + '[[hosts]]\nname = "b"\n[[overrides]]\nname = "a"\nlink = "1Gbit"',
    )
    assert first.link_kib_s == 122_070


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"\nname_ = 1', "hosts[1].name_: unknown key; did you mean name?"),
        ('uri = "qemu:///system"', "hosts[1].names: say which hosts these are"),
        ('name = "a"\nnames = "b"', 'hosts[1].names = "b": say which hosts'),
        ('names = "kvm[3-1]"', 'hosts[1].names = "kvm[3-1]": "[3-1]" runs backwards'),
        ('name = "a"\nuri = "http://a/"', "is no address of a hypervisor"),
        ('name = "a"\nuri = "qemu+ssh://{nam}/system"', "{name} is the only placeholder"),
        ('name = "a"\nuri = "qemu+ssh://a b/system"', "blanks or control characters"),
        ('name = "a"\nuri = "qemu://[a/system"', "is no address: "),
        ('name = "a"\nuri = "qemu://a:x/system"', "is no address: "),
        ('name = "a"\npeer_uri = "qemu:///system"', "names no host"),
        ('name = "a"\nmigration_address = "a b"', "is no host name or IP address"),
        ('name = "a"\nlink = 10', 'hosts[1].link = 10: give a unit, for example "10Gbit"'),
        ('name = "a"\nanswer_within = "0s"', "must be longer than nothing"),
        ('name = "a"\ncapacity = { ram = "8GiB" }', 'hosts[1].capacity.ram = "8GiB": unknown resource'),
        ('name = "a"\ncapacity = { memory = 8 }', "hosts[1].capacity.memory = 8: give a unit"),
        ('name = "a"\nlabels = "rack"', 'hosts[1].labels = "rack": must be a table'),
        ('name = "a"\nlabels = { rack = 1 }', "hosts[1].labels.rack = 1: must be a string"),
        ('name = "a"\nnetworks = [1]', "must be a string in quotes or a list of them"),
        ('name = "a"\nstorage = ["x"]\nstorage_paths = { y = "/y" }', '"y" is not among the storage'),
    ],
)  # fmt: skip
def test_a_slip_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """File, table, key, what and remedy."""
    assert said in fault(tmp_path, DEFAULTS + "[[hosts]]\n" + text)


def test_passwords_are_not_repeated(tmp_path: Path) -> None:
    """The refusal of a password does not print it."""
    for uri in ("qemu+ssh://me:s3cret@a/system", "http://:s3cret@a:x/", "qemu://{name}:s3cret@["):
        said = fault(tmp_path, f'[[hosts]]\nname = "a"\nuri = "{uri}"')
        assert "hosts[1].uri: holds a password" in said
        assert "s3cret" not in said


def test_a_host_named_twice_is_told_where(tmp_path: Path) -> None:
    """In one file or in two."""
    one = DEFAULTS + '[[hosts]]\nnames = "kvm[1-3]"\n'
    assert 'host "kvm2" is in hosts[1] already' in fault(
        tmp_path, one + '[[hosts]]\nname = "kvm2"'
    )
    said = fault(tmp_path, one, DEFAULTS + '[[hosts]]\nname = "kvm3"')
    assert "1.toml: hosts[1].name" in said
    assert "0.toml already" in said


def test_an_override_of_nobody_names_the_nearest(tmp_path: Path) -> None:
    """A slip in a name does not silently change nothing."""
    said = fault(tmp_path, DEFAULTS + '[[hosts]]\nname = "kvm1"\n[[overrides]]\nname = "kwm1"')
    assert 'there is no host "kwm1"; did you mean kvm1?' in said


def test_names_in_defaults_make_no_sense(tmp_path: Path) -> None:
    """[defaults] speaks of all hosts of its file."""
    assert "defaults.names: unknown key" in fault(tmp_path, '[defaults]\nnames = "a"')
