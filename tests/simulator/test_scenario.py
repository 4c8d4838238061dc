"""A scenario file means what it says, and says what is wrong with it."""

from pathlib import Path

import pytest

from balancer.planner.model.resources import CPU, MEMORY, VCPUS
from balancer.ports import UsageError
from balancer.simulator.scenario import Scenario, load_scenario
from balancer.simulator.workloads import Burst, Constant, Diurnal, Noisy, Step

HOSTS = '[[hosts]]\nnames = "kvm[1-3]"\ncpu = 16\nmemory = "64GiB"\n'
WEB = '[[guests]]\nnames = "web-[1-4]"\n'


def load(tmp_path: Path, *parts: str) -> Scenario:
    """Load a scenario of these parts."""
    path = tmp_path / "case.toml"
    path.write_text("\n".join(parts))
    return load_scenario(path)


def test_hosts_have_what_is_given(tmp_path: Path) -> None:
    """Ranges are spelt out, units turned into ours, everything else kept."""
    scenario = load(
        tmp_path,
        """
        [[hosts]]
        names = "kvm[1-2]"
        cpu = 16
        memory = "64GiB"
        reserve = "4GiB"
        link = "10Gbit"
        labels = { rack = "r1" }
        networks = ["vlan120", "vlan110"]
        storage = "ceph"
        qemu = "8.1.5"
        cpu_models = ["Skylake-Server", "EPYC"]
        [[hosts]]
        names = "old"
        cpu = 8
        memory = "32GiB"
        state = "draining"
        """,
    )
    first, _, old = scenario.hosts
    assert [host.name for host in scenario.hosts] == ["kvm1", "kvm2", "old"]
    assert first.capacity == {CPU: 16_000, MEMORY: 65_536}
    assert first.usable[MEMORY] == 61_440
    assert first.link_kib_s == 1_220_703
    assert (first.labels, first.networks, first.storage) == (
        {"rack": "r1"},
        ("vlan110", "vlan120"),
        ("ceph",),
    )
    assert first.cpu_models == ("EPYC", "Skylake-Server")
    assert (first.qemu_version, old.qemu_version) == (8_001_005, 7_002_000)
    assert old.state == "draining"
    assert scenario.name == "case"


def test_guests_take_turns_on_the_hosts_named(tmp_path: Path) -> None:
    """And behave as given."""
    scenario = load(
        tmp_path,
        HOSTS,
        WEB,
        """
        on = ["kvm1", "kvm3"]
        vcpus = 4
        memory = "8GiB"
        used = "50%"
        hot_set = "25%"
        dirty = "20MiB/s"
        cpu = 1.5
        labels = { role = "web" }
        owner = "nova"
        tie = "passthrough"
        cpu_model = "EPYC"
        """,
    )
    assert list(scenario.placement.values()) == ["kvm1", "kvm3", "kvm1", "kvm3"]
    guest = scenario.guests[0]
    assert guest.spec.name == "web-1"
    assert guest.spec.allocation == {VCPUS: 4, MEMORY: 8192}
    assert (guest.memory_mib, guest.hot_set_mib, guest.dirty_mib_s) == (4096, 1024, 20)
    assert guest.cpu == Constant(cpu=1500)
    assert (guest.spec.labels, guest.spec.owner) == ({"role": "web"}, "nova")
    assert [tie.kind for tie in guest.spec.ties] == ["passthrough"]
    assert guest.spec.cpu.model == "EPYC"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{ shape = "constant", cpu = 2 }', Constant(cpu=2000)),
        ('{ shape = "diurnal", low = 1, high = 3, peak = "14h" }',
         Diurnal(low=1000, high=3000, peak=50_400)),
    ],
)  # fmt: skip
def test_shapes_of_load(tmp_path: Path, text: str, expected: object) -> None:
    """Each shape has its keys."""
    assert load(tmp_path, HOSTS, WEB, f"cpu = {text}").guests[0].cpu == expected


def test_a_step_counts_from_the_start_and_a_burst_from_its_guests_seed(tmp_path: Path) -> None:
    """Guests of one table burst at different times; noise goes on top of any shape."""
    step = load(
        tmp_path, HOSTS, WEB, 'cpu = { shape = "step", before = 1, after = 3, at = "5min" }'
    )
    assert step.guests[0].cpu == Step(before=1000, after=3000, moment=step.start + 300)
    text = 'cpu = { shape = "burst", low = 0, high = 2, every = "1h", lasting = "5min" }\nnoise = "5%"'
    first, second, *_ = load(tmp_path, HOSTS, WEB, text).guests
    assert isinstance(first.cpu, Noisy)
    assert isinstance(first.cpu.calm, Burst)
    assert (first.cpu.noise, first.cpu.calm.every, first.cpu.calm.lasting) == (0.05, 3600, 300)
    assert isinstance(second.cpu, Noisy)
    assert first.cpu.seed != second.cpu.seed


DRAWN = """
    memory = ["2GiB", "4GiB", "8GiB"]
    cpu = [0.5, 1, { shape = "diurnal", low = 0.2, high = 2, peak = "14h" }]
"""


def test_lists_are_drawn_from_by_the_seed(tmp_path: Path) -> None:
    """Same seed, same cluster; another seed, another one; guests without a host fit where put."""
    text = [HOSTS, '[[guests]]\nnames = "gen-[001-030]"', DRAWN]
    one, again = load(tmp_path, *text), load(tmp_path, *text)
    other = load(tmp_path, "seed = 2", *text)
    assert one.guests == again.guests
    assert one.placement == again.placement
    assert other.guests != one.guests
    assert other.placement != one.placement
    assert {g.spec.allocation[MEMORY] for g in one.guests} == {2048, 4096, 8192}
    assert {type(g.cpu) for g in one.guests} == {Constant, Diurnal}
    for host in one.hosts:
        here = [g for g in one.guests if one.placement[g.spec.uuid] == host.name]
        assert sum(g.spec.allocation[MEMORY] for g in here) <= host.usable[MEMORY]


def test_times_and_policy(tmp_path: Path) -> None:
    """Defaults are an hour from a Monday morning, every five minutes, under the built-in policy."""
    scenario = load(tmp_path, HOSTS)
    assert (scenario.length, scenario.interval) == (3600, 300)
    assert scenario.start == 1_767_600_000
    assert scenario.policy.name == "balance"
    text = 'start = 2026-07-01T12:00:00\nlength = "1d"\ninterval = "15min"\npolicy = "repair"'
    other = load(tmp_path, text, HOSTS)
    assert (other.start, other.length, other.interval) == (1_782_907_200, 86_400, 900)
    assert other.policy.name == "repair"


def test_a_policy_may_be_written_into_the_scenario(tmp_path: Path) -> None:
    """With the keys of a policy file."""
    inline = '[[policy.spread]]\nguests = "web-*"\nat_most = 2\n[policy.limits]\nat_once_total = 3'
    policy = load(tmp_path, HOSTS, WEB, inline).policy
    assert "spread web-* across host" in {rule.label for rule in policy.constraints}
    assert policy.limits.at_once_total == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("lenght = 5\n" + HOSTS, "lenght: unknown key; did you mean length?"),
        ("", "hosts: missing"),
        ('length = "0s"\n' + HOSTS, "length = .*must be more than nothing"),
        ('start = "monday"\n' + HOSTS, "start = .*must be a date and time"),
        ('[[hosts]]\nnames = "a"\ncpu = 4', r"hosts\[1\]\.memory: missing"),
        ('[[hosts]]\ncpu = 4\nmemory = "4GiB"', r"hosts\[1\]\.names: missing"),
        (HOSTS + HOSTS, r"hosts\[2\]\.names = .*kvm1 is given twice"),
        ('[[hosts]]\nnames = "k[2-1]"\ncpu = 4\nmemory = "4GiB"', "runs backwards"),
        (HOSTS + 'qemu = "new"', r"qemu = .new.*must be a version"),
        (HOSTS + 'rak = "r1"', r"hosts\[1\]\.rak: unknown key"),
        (HOSTS + WEB + 'on = "kvm9"', r"guests\[1\]\.on = .*no host kvm9; did you mean kvm"),
        (HOSTS + WEB + WEB, r"guests\[2\]\.names = .*web-1 is given twice"),
        (HOSTS + WEB + 'memory = "65GiB"', "web-1 fits on no host"),
        (HOSTS + WEB + "memory = 8", r"guests\[1\]\.memory = 8: give a unit"),
        (HOSTS + WEB + 'cpu = { shape = "wave" }', r"guests\[1\]\.cpu\.shape = .wave.*must be one of"),
        (HOSTS + WEB + 'cpu = { shape = "step", before = 1 }', r"cpu\.after: missing: a step needs"),
        (HOSTS + WEB + "cpu = { low = 1 }", r"cpu\.low: unknown key"),
        (
            HOSTS + WEB + 'cpu = { shape = "burst", low = 0, high = 1, every = "0s", lasting = "1s" }',
            r"cpu\.every = .*must be more",
        ),
        (HOSTS + 'policy = "nowhere"', r"hosts\[1\]\.policy: unknown key"),
        ('policy = "nowhere"\n' + HOSTS, "nowhere: no such file"),
        (HOSTS + '[[policy.spread]]\nguests = "zk-*"', "zk-"),
        (HOSTS + "[expect]\nmoves_at_mots = 3", r"expect\.moves_at_mots: unknown key; did you mean moves_at_most"),
        (HOSTS + '[expect]\nmoves_at_most = "many"', r"expect\.moves_at_most = .many.*"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(tmp_path: Path, text: str, fault: str) -> None:
    """It names the file, the place and what to write instead."""
    with pytest.raises(UsageError, match=fault) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    """Missing, and no TOML."""
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_scenario(tmp_path / "none.toml")
    with pytest.raises(UsageError, match=r"case\.toml: is not TOML"):
        load(tmp_path, "[[hosts")
