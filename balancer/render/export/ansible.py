"""A plan as an Ansible playbook: the same virsh commands, run where the playbook is."""

import json
from collections.abc import Callable, Sequence

from balancer.planner.model.plan import Action, Plan
from balancer.render.export.ends import End, bandwidth, commands, copying, migrate_uri
from balancer.render.words import clean


def ansible(plan: Plan, end: Callable[[str], End]) -> str:
    """Return the playbook. Commands are lists of words: no shell takes part.

    Nor any template, but for what a cold move carries from one host to the other.
    """
    tasks = "".join(
        _command(
            f"{one.id}: {one.name} on {one.host}: {one.what} {one.before} to {one.after}",
            ("virsh", "-q", "-c", end(one.host).uri, *words),
        )
        for one in plan.resizes
        for words in commands(one)
    )
    tasks += "".join(
        _cold(action, end) if action.cold else _task(action, end) for action in plan.actions
    )
    return (
        "---\n"
        f"- name: {_text(f'plan {plan.id}, starting from placement {plan.fingerprint}')}\n"
        "  hosts: localhost\n"
        "  gather_facts: false\n"
        "  any_errors_fatal: true\n"
        f"  tasks:{'' if tasks else ' []'}\n{tasks}"
    )


def _task(action: Action, end: Callable[[str], End]) -> str:
    title = f"{action.id}: {action.name} from {action.source} to {action.target}"
    return _command(title, _words(action, end(action.source), end(action.target)))


def _command(title: str, words: Sequence[str], more: str = "", stdin: str = "") -> str:
    lines = "".join(f"          - {_text(word)}\n" for word in words)
    return (
        f"    - name: {_text(clean(title))}\n"
        f"      ansible.builtin.command:\n        argv:\n{lines}{stdin}"
        f"      changed_when: true\n{more}"
    )


def _cold(action: Action, end: Callable[[str], End]) -> str:
    """Return the tasks that shut a guest down, define it on its target and start it there."""
    title = f"{action.id}: {action.name} from {action.source} to {action.target}, cold"
    source = ("virsh", "-q", "-c", end(action.source).uri)
    target = ("virsh", "-q", "-c", end(action.target).uri)
    guest = f"--domain={action.guest}"
    kept = ("dumpxml", guest, "--inactive", "--security-info", "--migratable")
    off = "      register: seen\n      until: seen.stdout == 'shut off'\n"
    parts = (
        _command(f"{title}: its definition", (*source, *kept), "      register: kept\n"),
        _command(f"{title}: not by itself", (*source, "autostart", "--disable", guest)),
        _command(f"{title}: shut it down", (*source, "shutdown", guest)),
        _command(
            f"{title}: wait until it is off",
            (*source, "domstate", guest),
            f"{off}      retries: 300\n      delay: 1\n",
        ),
        _command(
            f"{title}: define it there",
            (*target, "define", "/dev/stdin"),
            stdin='        stdin: "{{ kept.stdout }}"\n',
        ),
        _command(f"{title}: start it there", (*target, "start", guest)),
        _command(f"{title}: undefine it here", (*source, "undefine", guest, "--keep-nvram")),
    )
    return "".join(parts)


def _words(action: Action, source: End, target: End) -> Sequence[str]:
    network = migrate_uri(target)
    return (
        "virsh", "-q", "-c", source.uri, "migrate",
        "--live", "--p2p", "--persistent", "--undefinesource", "--abort-on-error",
        "--change-protection",
        *(["--auto-converge"] if action.auto_converge else []),
        *(["--unsafe"] if action.unsafe_storage else []),
        *copying(action),
        bandwidth(action),
        *([f"--migrateuri={network}"] if network else []),
        f"--domain={action.guest}",
        f"--desturi={target.peer_uri or target.uri}",
    )  # fmt: skip


def _text(text: str) -> str:
    """Return a YAML string that Ansible takes as it is: JSON's strings are YAML's."""
    plain = text.encode("utf-8", "replace").decode()
    mark = "!unsafe " if "{" in plain or "}" in plain else ""
    return mark + json.dumps(plain)
