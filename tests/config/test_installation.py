"""config.toml, and what stands in without one."""

from pathlib import Path

import pytest

from balancer.config import Config, Mode, default_policy, load, policy_for
from balancer.config import paths as paths_module
from balancer.planner.model.selector import Selector
from balancer.ports import UsageError


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither this machine's configuration nor its state is looked at."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BALANCER_CONFIG", raising=False)
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))


def configured(folder: Path, text: str) -> Config:
    (folder / "config.toml").write_text(text)
    return load(folder / "config.toml")


def fault(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        configured(folder, text)
    return str(caught.value)


def test_without_a_file_this_machine_is_observed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is changed, and the policy is the one built in."""
    monkeypatch.setattr("balancer.config.installation.configuration_file", lambda: None)
    config = load()
    assert config.source is None
    assert config.mode is Mode.OBSERVE
    assert [host.uri for host in config.hosts] == ["qemu:///system"]
    assert config.policy == default_policy()
    assert config.journal_path == tmp_path / "state/journal.sqlite"
    assert config.freeze_path == tmp_path / "state/FREEZE"


def test_an_empty_file_is_enough(tmp_path: Path) -> None:
    """Every key has a default; the freeze file is beside the configuration."""
    config = configured(tmp_path, "")
    assert config.mode is Mode.OBSERVE
    assert config.policy == default_policy()
    assert config.policy_path is None
    assert config.freeze_path == tmp_path / "FREEZE"
    assert (config.interval_seconds, config.sample_gap, config.workers) == (300.0, 2.0, 64)


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path) -> None:
    """Hosts from files and folders, groups, policy, journal; absolute paths stay."""
    (tmp_path / "hosts.d").mkdir()
    (tmp_path / "hosts.d/b.toml").write_text('[[hosts]]\nname = "b"\nuri = "qemu://b/system"')
    (tmp_path / "hosts.d/note.txt").write_text("not TOML")
    (tmp_path / "a.toml").write_text('[[hosts]]\nname = "a"\nuri = "qemu://a/system"')
    (tmp_path / "groups.toml").write_text('kafka = "kafka-*"')
    (tmp_path / "mine.toml").write_text('[groups]\nkafka = "x"\n[[stay]]\nguests = "group:kafka"')
    config = configured(
        tmp_path,
        """
        mode = "confirm"
        policy = "mine.toml"
        groups = "groups.toml"
        hosts = ["a.toml", "hosts.d"]
        interval = "1min"
        sample_gap = "5s"
        workers = 8
        state = "var"
        lock = "/run/lock/balancer"
        """,
    )
    assert [host.name for host in config.hosts] == ["a", "b"]
    assert config.mode is Mode.CONFIRM
    assert config.policy.groups == {"kafka": Selector(("kafka-*",))}
    assert config.policy_path == tmp_path / "mine.toml"
    assert config.journal_path == tmp_path / "var/journal.sqlite"
    assert config.lock_path == Path("/run/lock/balancer")
    assert config.interval_seconds == 60.0
    assert "groups.kafka is not as in the groups file" in config.warnings[0]


def test_groups_reach_the_built_in_policy_and_any_other(tmp_path: Path) -> None:
    """A policy named for one question knows the groups file too."""
    (tmp_path / "groups.toml").write_text('kafka = "kafka-*"')
    (tmp_path / "other.toml").write_text('[[stay]]\nguests = "group:kafka"')
    config = configured(tmp_path, 'groups = "groups.toml"')
    assert config.policy.groups == config.groups
    assert config.policy.digest != default_policy().digest
    assert policy_for(config, None).policy == config.policy
    assert policy_for(config, "other.toml").policy.groups == config.groups
    assert policy_for(config, "repair").policy.aggressiveness == 1


def test_hosts_may_stand_right_here(tmp_path: Path) -> None:
    """With their defaults and overrides."""
    config = configured(
        tmp_path,
        """
        [defaults]
        uri = "qemu+ssh://{name}/system"
        [[hosts]]
        names = "kvm[1-2]"
        [[overrides]]
        name = "kvm2"
        uri = "qemu+unix:///system?socket=/run/x"
        """,
    )
    assert [host.uri for host in config.hosts] == [
        "qemu+ssh://kvm1/system",
        "qemu+unix:///system?socket=/run/x",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mod = 'auto'", "config.toml: mod: unknown key; did you mean mode?"),
        ("mode = 'autos'", "must be one of observe, confirm, auto; did you mean auto?"),
        ("policy = 'nowhere.toml'", 'policy = "nowhere.toml": nowhere.toml: no such file'),
        ("policy = ''", 'policy = "": needs the name of a file'),
        ("groups = 'g.toml'", "g.toml: cannot be read: No such file"),
        ("hosts = ['h.toml']", "h.toml: cannot be read: No such file"),
        ("hosts = []", "hosts = []: declares no host"),
        ("hosts = 1", "hosts = 1: must be a string in quotes or a list"),
        ("hosts = ['x', { name = 'a' }]", "must be written [[hosts]]"),
        ("hosts = 'd'\n[defaults]", "defaults = {}: belongs beside [[hosts]]"),
        ("interval = 300", 'interval = 300: give a unit, for example "10min"'),
        ("sample_gap = '0s'", "must be longer than nothing"),
        ("workers = 0", "workers = 0: must be 1 to 1024"),
        ("journal = ''", "needs a path"),
        ("[limits]", "limits: unknown key"),
    ],
)
def test_a_slip_is_one_sentence(tmp_path: Path, text: str, said: str) -> None:
    """File, key, what and remedy."""
    assert said in fault(tmp_path, text)


def test_which_file_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$BALANCER_CONFIG first, then the folder one is in unless others may write there."""
    here = tmp_path / "config.toml"
    here.write_text("")
    assert paths_module.configuration_file() == here
    tmp_path.chmod(0o777)
    assert paths_module.configuration_file() != here
    monkeypatch.setenv("BALANCER_CONFIG", "/x/y.toml")
    assert paths_module.configuration_file() == Path("/x/y.toml")
    with pytest.raises(UsageError, match=r"/x/y\.toml: cannot be read"):
        load()


def test_where_state_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd's folder, else root's, else the user's."""
    assert paths_module.state_folder() == tmp_path / "state"
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.setattr(paths_module.os, "geteuid", lambda: 0)
    assert paths_module.state_folder() == Path("/var/lib/balancer")
    monkeypatch.setattr(paths_module.os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/h/state")
    assert paths_module.state_folder() == Path("/h/state/balancer")


def test_the_shipped_file_runs_as_it_is_and_only_observes() -> None:
    """The config.toml of the checkout."""
    config = load(Path(__file__).parents[2] / "config.toml")
    assert config.mode is Mode.OBSERVE
    assert config.policy == default_policy()
    assert not config.warnings


def test_every_commented_line_of_the_shipped_file_works(tmp_path: Path) -> None:
    """What is offered in comments is accepted when the comment signs go."""
    text = (Path(__file__).parents[2] / "config.toml").read_text()
    lines = [line.removeprefix("# ") for line in text.splitlines()]
    keys = [line for line in lines if line.split(" ")[0] in {"interval", "sample_gap", "workers"}]
    start = lines.index("[defaults]")
    tables = [line.removeprefix("#") for line in lines[start:]]
    config = configured(tmp_path, "\n".join([*keys, *tables]))
    assert len(keys) == 3
    assert len(config.hosts) == 40
    assert config.hosts[6].capacity == {"memory": 245_760}
