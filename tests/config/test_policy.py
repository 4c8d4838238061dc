"""Policy files become policies; what they cannot mean is one sentence."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.config import default_policy, load_policy, open_policy, read_policy
from balancer.config.reading import Table
from balancer.planner.constraints import CONSTRAINTS
from balancer.planner.constraints.capacity import Capacity
from balancer.planner.constraints.only_on import OnlyOn
from balancer.planner.constraints.spread import Spread
from balancer.planner.constraints.survive import Survive
from balancer.planner.model.policy import Allow, Distance, Policy
from balancer.planner.model.selector import EVERYTHING, Selector
from balancer.planner.objectives import OBJECTIVES
from balancer.planner.objectives.traffic import Traffic
from balancer.ports import UsageError


def loaded(folder: Path, text: str, **groups: Selector) -> Policy:
    (folder / "p.toml").write_text(text)
    return load_policy(folder / "p.toml", groups)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(folder, text)
    return str(caught.value)


def test_an_empty_file_is_the_built_in_policy(tmp_path: Path) -> None:
    """What a file does not say has its default."""
    assert loaded(tmp_path, "") == default_policy("p")


def test_tables_keys_and_units(tmp_path: Path) -> None:
    """Settings, goals and rules, in the units of the model."""
    policy = loaded(
        tmp_path,
        """
        aggressiveness = 4
        [hot]
        cpu_used = "70%"
        [balance]
        within = 0.1
        memory = false
        [capacity]
        vcpus_per_core = 2
        keep_for_hypervisor = "4GiB"
        [limits]
        pause_at_most = "100ms"
        data_per_hour = "1TiB"
        same_guest_again_after = "2h"
        default_link = "25Gbit"
        [allow]
        copy_local_disks = false
        unsafe_storage = "web-*"
        [[only_on]]
        guests = ["spark-*", "!spark-x"]
        hosts = "label:class=gen3"
        hard = false
        may_be_empty = true
        """,
    )
    assert policy.aggressiveness == 4
    assert policy.hot.cpu_used == 0.7
    assert policy.limits.pause_at_most == 100
    assert policy.limits.data_per_hour == 1024 * 1024
    assert policy.limits.same_guest_again_after == 7200.0
    assert policy.limits.default_link_kib_s == 3_051_757
    assert policy.allow.unsafe_storage == Selector(("web-*",))
    balance = policy.objectives[list(OBJECTIVES).index("balance")]
    assert balance == OBJECTIVES["balance"](within=0.1, memory=False)
    assert policy.constraints == (
        Capacity(vcpus_per_core=2.0, keep_for_hypervisor=4096),
        OnlyOn(
            guests=Selector(("spark-*", "!spark-x"), may_be_empty=True),
            hosts=Selector(("label:class=gen3",), may_be_empty=True),
            hard=False,
        ),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("agressiveness = 2", "p.toml: agressiveness: unknown key; did you mean aggressiveness?"),
        ("aggressiveness = 6", "aggressiveness = 6: must be 1 (broken rules only) to 5"),
        ('forecaster = "lates"', "did you mean latest?"),
        ("[limits]\npause_at_most = 300", 'limits.pause_at_most = 300: give a unit, for example "300ms"'),
        ("[limits]\npause_at_mots = 1", "limits.pause_at_mots: unknown key; did you mean pause_at_most?"),
        ("[limits]\nat_once_total = 0", "limits.at_once_total = 0: must be at least 1"),
        ("[limits]\nat_once_total = 1.5", "must be a whole number"),
        ('[limits]\nmigration_link_share = "400%"', "must be at least 0.01 and at most 1"),
        ("[hot]\ncpu_used = 85", "hot.cpu_used = 85: must be at least 0.01 and at most 1"),
        ("[hot]\ncpu_pressure = 10", "hot.cpu_pressure = 10: must be at least 0.01 and at most 1"),
        ("timezone = 'Europe/Berln'", "no such time zone; did you mean Europe/Berlin?"),
        ("[capacity]\nsurvive_hosts_lost = -1", "must be a number from 0 on"),
        ("[survive]\nhosts_lost = 0", "survive.hosts_lost = 0: must be at least 1"),
        ("[[blackout]]\nguests = 'x'", "blackout[1].when: missing: one window or a list"),
        ("[[blackout]]\nwhen = []", "blackout[1]: when: needs at least one window"),
        ("[[blackout]]\nwhen = 'daily'\nhard = false", "blackout[1].hard: unknown key"),
        ("[[blackout]]\nwhen = 'dayly 01:00-02:00'", 'blackout[1]: when: "dayly 01:00-02:00" does not know the day "dayly"'),
        ("[allow]\npost_copy = 1", "allow.post_copy = 1: must be a string in quotes or a list of them"),
        ("[allow]\npost_copy = 'group:x'", 'allow.post_copy = "group:x": there is no group "x"; define it'),
        ("[[sperad]]\nguests = 'x'", "sperad: unknown key; did you mean spread?"),
        ("[[spread]]\nacros = 'rack'", "spread[1].acros: unknown key; did you mean across?"),
        ("[[spread]]\nacross = 'rack'", "spread[1].guests: missing: the guests it speaks of"),
        ("[spread]\nguests = 'x'", "spread = "),
        ("[[spread]]\nguests = 'lable:x'", 'did you mean "label:"?'),
        ("[[spread]]\nguests = 'group:x'", 'spread[1].guests = "group:x": there is no group "x"; define it'),
        ("[[only_on]]\nguests='x'\nhosts='group:x'", '"group:" chooses guests; hosts are chosen by name'),
        ("[[stay]]\nguests='x'\n[[stay]]\nguests='x'", 'stay[2]: is called "stay x" like stay[1]: give it a name'),
        ("[[spread]]\nguests='x'\nat_most=-1", "spread[1].at_most = -1: must be a number from 0 on"),
        ("[[spread]]\nguests='x'\nhard='no'", 'spread[1].hard = "no": must be true or false'),
        ("[[spread]]\nguests='x'\nname=1", "spread[1].name = 1: must be a string in quotes"),
        ("[[traffic]]\nguests='x'", "traffic[1].rate: missing: what they send each other in all"),
        ("[[traffic]]\nguests='x'\nrate='2'", 'traffic[1].rate = "2": give a unit'),
        ("[[traffic]]\nguests='group:x'\nrate='1Gbit'", 'there is no group "x"'),
        ("[[traffic]]\nguests='x'\nrate='1Gbit'\n" * 2, 'traffic[2]: is called "traffic x" like traffic[1]'),
        ("[distance]\nsame_rack = '1ms'", "distance: further away must not take less"),
        ("[distance]\nbeyond = 5", 'distance.beyond = 5: give a unit, for example "150us"'),
        ("[[spread]]\nguests='x'\nevenly=true\nquorum=true", "two measures"),
        ("[[careful]]\nguests='x'\nshare_at_once='120%'", "must be at least 0 and at most 1"),
        ("[groups]\na = 'group:a'", 'groups.a = "group:a": contains itself (a → a)'),
        ("extends = 'nowhere'", 'extends = "nowhere": nowhere: no such file (looked for'),
        ("extends = 'p.toml'", "extend each other in a circle"),
        ("extends = 1", "extends = 1: must be a string in quotes"),
    ],
)  # fmt: skip
def test_a_slip_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """File, table, key, what and remedy."""
    told = fault(tmp_path, text)
    assert said in told
    assert str(tmp_path / "p.toml") in told


def test_traffic_is_declared_any_number_of_times(tmp_path: Path) -> None:
    """Each table is one goal; a file that extends another adds its own, and replaces by name."""
    (tmp_path / "base.toml").write_text(
        'distance.same_room = "200us"\n'
        '[[traffic]]\nguests = "a"\nrate = "1Gbit"\n[[traffic]]\nname = "x"\nguests = "b"\nrate = "2MiB/s"'
    )
    policy = loaded(
        tmp_path,
        'extends = "base.toml"\n[[traffic]]\nname = "x"\nguests = "c"\nothers = "d"\nrate = "8Mbit"\n'
        'request = "1MiB"\n[[traffic]]\nguests = "e"\nrate = "1Gbit"',
    )
    *_, plain, named, own = policy.objectives
    assert plain == Traffic(guests=Selector(("a",)), rate=122_070)
    others = Selector(("d",))
    assert named == Traffic(
        guests=Selector(("c",)), others=others, rate=976, request=1024, name="x"
    )
    assert own.label == "traffic e"
    assert policy.distance == Distance(same_room=200)


def test_consents_are_for_everybody_or_for_some(tmp_path: Path) -> None:
    """`true` is everybody, patterns are those guests alone, silence is nobody."""
    policy = loaded(tmp_path, "[allow]\npost_copy = true\nauto_converge = ['batch-*', '!batch-1']")
    assert policy.allow.post_copy == EVERYTHING
    assert policy.allow.auto_converge == Selector(("batch-*", "!batch-1"))
    assert loaded(tmp_path, "[allow]\npost_copy = false").allow == Allow()


def test_room_for_lost_hosts_is_asked_for_beside_capacity(tmp_path: Path) -> None:
    """A short key of `[capacity]` stands for a rule of its own."""
    policy = loaded(tmp_path, "[capacity]\nsurvive_hosts_lost = 1\nvcpus_per_core = 2")
    assert policy.constraints == (Capacity(vcpus_per_core=2.0), Survive())
    assert loaded(tmp_path, "[[survive]]\nacross = 'rack'").constraints[1] == Survive(
        across="rack"
    )


def test_a_policy_extends_another(tmp_path: Path) -> None:
    """Tables are joined key by key, rules added, a rule of the same name takes the other's place."""
    (tmp_path / "base.toml").write_text(
        """
        [limits]
        at_once_total = 3
        pause_at_most = "50ms"
        [capacity]
        vcpus_per_core = 2
        [groups]
        kafka = "kafka-*"
        [[spread]]
        name = "brokers"
        guests = "group:kafka"
        [[stay]]
        guests = "db-*"
        """
    )
    policy = loaded(
        tmp_path,
        """
        extends = "base.toml"
        [limits]
        at_once_total = 5
        [capacity]
        memory_overcommit = 1.5
        [groups]
        kafka = "kafka-prod-*"
        [[spread]]
        name = "brokers"
        guests = "group:kafka"
        across = "rack"
        """,
    )
    assert (policy.limits.at_once_total, policy.limits.pause_at_most) == (5, 50)
    assert policy.groups == {"kafka": Selector(("kafka-prod-*",))}
    assert [rule.label for rule in policy.constraints] == ["capacity", "brokers", "stay db-*"]
    assert policy.constraints[0] == Capacity(vcpus_per_core=2.0, memory_overcommit=1.5)
    assert policy.constraints[1] == Spread(
        name="brokers", guests=Selector(("group:kafka",)), across="rack"
    )


def test_a_fault_in_the_file_above_names_that_file(tmp_path: Path) -> None:
    """The operator is sent to the right place."""
    (tmp_path / "base.toml").write_text("[[stay]]\nguests = 'group:x'")
    assert fault(tmp_path, "extends = 'base.toml'").startswith(
        f"{tmp_path / 'base.toml'}: stay[1]"
    )


def test_the_groups_file_goes_before_and_says_so(tmp_path: Path) -> None:
    """A group defined twice is the groups file's; the difference is a warning."""
    (tmp_path / "p.toml").write_text("[groups]\nkafka = 'k-*'\nsame = 'x'")
    groups = {"kafka": Selector(("kafka-*",)), "same": Selector(("x",))}
    found = open_policy(tmp_path / "p.toml", groups)
    assert found.policy.groups == groups
    assert [w.split(": ")[1] for w in found.warnings] == [
        "groups.kafka is not as in the groups file, which goes before"
    ]


def test_a_group_of_the_groups_file_is_known_to_rules(tmp_path: Path) -> None:
    """Rules and groups of the policy may speak of it."""
    text = "[groups]\nall = ['group:kafka', 'zk-*']\n[[stay]]\nguests = 'group:all'"
    assert loaded(tmp_path, text, kafka=Selector(("kafka-*",))).groups.keys() == {"kafka", "all"}


def test_the_digest_is_of_what_is_meant(tmp_path: Path) -> None:
    """Comments, order and spelling do not change it; what is wanted does; names do not."""
    one = loaded(tmp_path, '[limits]\nat_once_total = 3\npause_at_most = "100ms"')
    two = loaded(tmp_path, '# x\n[limits]\npause_at_most = "0.1s"\nat_once_total = 3')
    three = loaded(tmp_path, '[limits]\npause_at_most = "0.2s"\nat_once_total = 3')
    assert one.digest == two.digest != three.digest
    assert len(one.digest) == 8
    assert default_policy("a").digest == default_policy("b").digest
    stay = "[[stay]]\nguests = 'x'"
    never = "[[never_move]]\nguests = 'x'"
    assert loaded(tmp_path, stay).digest != loaded(tmp_path, never).digest
    groups = "[groups]\na = 'x'\nb = 'y'"
    turned = "[groups]\nb = 'y'\na = 'x'"
    assert loaded(tmp_path, groups).digest == loaded(tmp_path, turned).digest


def test_a_policy_may_stand_in_another_file() -> None:
    """A scenario holds one as a table; faults name the table within."""
    table = Table(Path("scenario.toml"), "policy", {"limits": {"at_once_total": 2}})
    assert replace(read_policy(table), digest="") == replace(
        default_policy("scenario"),
        digest="",
        limits=replace(default_policy().limits, at_once_total=2),
    )
    with pytest.raises(UsageError, match=r"scenario\.toml: policy\.limit: unknown key"):
        read_policy(replace(table, values={"limit": 1}))


junk = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["*", "8GiB"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["guests", "hosts", "x", "\n"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(
            ["limits", "hot", "allow", "groups", "extends", *CONSTRAINTS, *OBJECTIVES]
        ),
        junk
        | st.lists(
            st.dictionaries(
                st.sampled_from(["guests", "hosts", "across", "at_most", "name", "hard"]), junk
            ),
            max_size=2,
        ),
        max_size=3,
    )
)
def test_any_content_is_a_policy_or_one_sentence(values: dict[str, object]) -> None:
    """Nothing but UsageError comes out, on one line."""
    told = ""
    try:
        assert isinstance(read_policy(Table(Path("p.toml"), "", values)), Policy)
    except UsageError as error:
        told = str(error)
    assert told.isprintable()
