"""config.toml: how this installation works. What is wanted is the policy's business."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from balancer.config.groups import Groups, load_groups
from balancer.config.guards import Guards, read_guards
from balancer.config.host import HostConfig
from balancer.config.hosts import hosts_files, read_hosts
from balancer.config.keys import Entry
from balancer.config.listening import DEFAULT_METRICS, Listening, read_listening
from balancer.config.notify import NotifyConfig, read_notify
from balancer.config.paths import configuration_file, named, state_folder
from balancer.config.policy import NO_GROUPS, LoadedPolicy, default_policy, open_policy, sealed
from balancer.config.prometheus import PrometheusConfig, read_prometheus
from balancer.config.reading import Table, read_toml
from balancer.config.search import find
from balancer.config.units import COUNT, MIB, SECONDS
from balancer.planner.model.policy import Policy
from balancer.ports import UsageError

KEYS: Final[Mapping[str, Entry]] = {
    "mode": Entry("observe, confirm or auto", '"observe"', "observe changes nothing, confirm asks for each plan, auto acts within the policy"),
    "policy": Entry("path or name", "the built-in policy", "file of the policy, or the name of one that is shipped: `balance`"),
    "hosts": Entry("paths", "this machine's hypervisor", "files and folders that declare hosts; or `[[hosts]]` right here"),
    "defaults": Entry("table", "none", "what the `[[hosts]]` here have in common; see the hosts file"),
    "overrides": Entry("tables", "none", "`[[overrides]]`: what is different about single hosts"),
    "groups": Entry("path", "none", "file with names for sets of guests"),
    "guards": Entry("table", "see `[guards]`", "when the service stands back, and when it stops itself"),
    "on_stop": Entry("finish or abort", '"finish"', "what becomes of moves in flight when the service is told to stop"),
    "interval": Entry('duration, as `"5min"`', '"5min"', "from the beginning of one cycle of the service to that of the next"),
    "sample_gap": Entry('duration, as `"2s"`', '"2s"', "between the two samples from which rates are reckoned"),
    "workers": Entry("whole number, 1 to 1024", "64", "hosts asked at a time"),
    "state": Entry("path", "/var/lib/balancer", "folder for what must survive a restart; for users other than root below their home"),
    "journal": Entry("path", "journal.sqlite in `state`", "file of the journal"),
    "history": Entry("path", "history.sqlite in `state`", "file of what was measured before"),
    "history_age": Entry('duration, as `"28d"`', '"31d"', "how far back 5-minute means are kept; samples are kept two days"),
    "history_size": Entry('size, as `"1GiB"`', '"1GiB"', "how large the history may grow"),
    "prometheus": Entry("table", "none", "a store of metrics that measures beside the hypervisors; see `[prometheus]`"),
    "metrics": Entry('text, as `"127.0.0.1:9478"`', '"127.0.0.1:9478"', 'where the service serves `/metrics`; `"off"`: nowhere'),
    "notify": Entry("tables", "none", "`[[notify]]`: whom to tell of what, and how"),
    "own_guest": Entry("name, uuid or none", "as the firmware says, where that can be read", "the guest that this program runs in: it moves last, by itself"),
    "reasons_age": Entry('duration, as `"28d"`', '"28d"', "how far back the journal keeps why guests and hosts stood as they did; what was moved is kept for good"),
    "lock": Entry("path", "balancer.lock in `state`", "file that keeps two planners apart"),
    "freeze": Entry("path", "FREEZE beside this file", "file whose mere existence stops all action"),
}  # fmt: skip
"""Each key of config.toml and what it says."""
ON_STOP: Final = ("finish", "abort")
MOST_WORKERS: Final = 1024


class Mode(StrEnum):
    """What may be done without asking."""

    OBSERVE = "observe"
    CONFIRM = "confirm"
    AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Config:
    """How this installation works, all checked and typed. Paths are absolute."""

    source: Path | None = None
    """The config.toml; None where the built-in default stands in."""
    mode: Mode = Mode.OBSERVE
    hosts: tuple[HostConfig, ...]
    policy: Policy
    policy_path: Path | None = None
    """None for the policy that is built in."""
    groups: Groups = field(default_factory=dict)
    """Of the groups file: give them to `load_policy` for any other policy."""
    guards: Guards = field(default_factory=Guards)
    abort_on_stop: bool = False
    """True if being told to stop aborts what is in flight, instead of finishing it."""
    interval_seconds: float = 300.0
    sample_gap: float = 2.0
    """Seconds between two samples where a verb looks once."""
    workers: int = 64
    """Hosts asked at a time."""
    state_dir: Path
    journal_path: Path
    history_path: Path
    history_seconds: float = 31 * 86_400.0
    reasons_seconds: float = 28 * 86_400.0
    """How far back the journal keeps why guests stood as they did."""
    """How far back 5-minute means are kept."""
    history_mib: int = 1024
    """How large the history may grow."""
    own_guest: str = ""
    """Name or uuid of the guest that this program runs in; empty: as the firmware says."""
    lock_path: Path
    freeze_path: Path
    """The operator's: while it exists nothing is moved."""
    prometheus: PrometheusConfig | None = None
    """A store that measures beside the hypervisors; None for none."""
    metrics: Listening | None = DEFAULT_METRICS
    """Where /metrics is served; None for nowhere."""
    notify: tuple[NotifyConfig, ...] = ()
    """Who is told of what happens."""
    warnings: tuple[str, ...] = ()
    """Sentences on what the operator may not have meant."""

    @property
    def stopped_path(self) -> Path:
        """The file in which the service says that it stopped itself."""
        return self.state_dir / "STOPPED"

    @property
    def closed_path(self) -> Path:
        """The file that names the hosts closed to placement."""
        return self.state_dir / "closed.json"

    @property
    def status_path(self) -> Path:
        """The file in which the service says how it is."""
        return self.state_dir / "status.json"


def load(path: Path | None = None) -> Config:
    """Return the configuration in the file, or in the one found where none is named.

    Without any, this machine's own hypervisor is observed under the built-in policy.
    Raises UsageError naming file, table, key and remedy.
    """
    file = path or configuration_file()
    return _built_in() if file is None else _read(read_toml(file.absolute()))


def policy_for(config: Config, name: str | None) -> LoadedPolicy:
    """Return the policy `name` (a path from here, or the name of a shipped one), else config's.

    Raises UsageError.
    """
    if name is None:
        return LoadedPolicy(config.policy)
    return open_policy(find(name, Path.cwd()), config.groups)


def _built_in() -> Config:
    state = state_folder()
    return Config(
        hosts=_this_machine(),
        policy=default_policy(),
        state_dir=state,
        journal_path=state / "journal.sqlite",
        history_path=state / "history.sqlite",
        lock_path=state / "balancer.lock",
        freeze_path=state / "FREEZE",
    )


def _read(top: Table) -> Config:
    top.only(KEYS)
    folder = top.file.parent
    groups = load_groups(folder / top.text("groups")) if "groups" in top.values else NO_GROUPS
    loaded, policy_path = _policy(top, groups)
    state = _path(top, "state", state_folder())
    return Config(
        source=top.file,
        mode=Mode(top.choice("mode", tuple(Mode), Mode.OBSERVE)),
        hosts=_hosts(top),
        policy=loaded.policy,
        policy_path=policy_path,
        groups=groups,
        guards=read_guards(top.table("guards")),
        own_guest=top.text("own_guest"),
        abort_on_stop=top.choice("on_stop", ON_STOP, ON_STOP[0]) == "abort",
        interval_seconds=_seconds(top, "interval", Config.interval_seconds),
        sample_gap=_seconds(top, "sample_gap", Config.sample_gap),
        workers=_workers(top),
        state_dir=state,
        journal_path=_path(top, "journal", state / "journal.sqlite"),
        history_path=_path(top, "history", state / "history.sqlite"),
        history_seconds=_seconds(top, "history_age", Config.history_seconds),
        reasons_seconds=_seconds(top, "reasons_age", Config.reasons_seconds),
        history_mib=int(top.amount("history_size", MIB, Config.history_mib)),
        lock_path=_path(top, "lock", state / "balancer.lock"),
        freeze_path=_path(top, "freeze", folder / "FREEZE"),
        prometheus=read_prometheus(top.table("prometheus")),
        metrics=read_listening(top, "metrics", DEFAULT_METRICS),
        notify=read_notify(top.tables("notify")),
        warnings=loaded.warnings,
    )


def _policy(top: Table, groups: Groups) -> tuple[LoadedPolicy, Path | None]:
    if "policy" not in top.values:
        return LoadedPolicy(sealed(replace(default_policy(), groups=groups))), None
    try:
        path = find(top.text("policy"), top.file.parent)
    except UsageError as error:
        top.fail("policy", str(error))
    return open_policy(path, groups), path


def _hosts(top: Table) -> tuple[HostConfig, ...]:
    """Return the hosts declared here or in the files named; of none, this machine."""
    named = top.values.get("hosts")
    if named is None:
        return _this_machine()
    inline = isinstance(named, list) and any(isinstance(item, dict) for item in named)
    for key in () if inline else ("defaults", "overrides"):
        if key in top.values:
            top.fail(key, "belongs beside [[hosts]]: move it to the hosts file")
    tops = [top] if inline else hosts_files(top.texts("hosts"), top.file.parent)
    hosts = read_hosts(tops)
    if not hosts:
        top.fail(
            "hosts", "declares no host; add [[hosts]] there, or drop the key for this machine"
        )
    return hosts


def _this_machine() -> tuple[HostConfig, ...]:
    name = socket.gethostname().split(".", 1)[0] or "localhost"
    return (HostConfig(name=name, uri="qemu:///system"),)


def _path(top: Table, key: str, default: Path) -> Path:
    name = top.text(key)
    if key in top.values and not name:
        top.fail(key, "needs a path")
    return named(name, top.file.parent) if name else default


def _seconds(top: Table, key: str, default: float) -> float:
    seconds = float(top.amount(key, SECONDS, default))
    if seconds <= 0:
        top.fail(key, 'must be longer than nothing, for example "5min"')
    return seconds


def _workers(top: Table) -> int:
    workers = int(top.amount("workers", COUNT, Config.workers))
    if not 1 <= workers <= MOST_WORKERS:
        top.fail("workers", f"must be 1 to {MOST_WORKERS}")
    return workers
