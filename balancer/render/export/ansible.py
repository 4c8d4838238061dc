"""A plan as an Ansible playbook: the same virsh commands, run where the playbook is."""

import json
from collections.abc import Callable, Sequence

from balancer.planner.model.plan import Action, Plan
from balancer.render.export.ends import End, bandwidth, copying, migrate_uri
from balancer.render.words import clean


def ansible(plan: Plan, end: Callable[[str], End]) -> str:
    """Return the playbook. Commands are lists of words: no shell takes part, and no template."""
    tasks = "".join(_task(action, end) for action in plan.actions)
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
    words = _words(action, end(action.source), end(action.target))
    lines = "".join(f"          - {_text(word)}\n" for word in words)
    return (
        f"    - name: {_text(clean(title))}\n"
        f"      ansible.builtin.command:\n        argv:\n{lines}"
        f"      changed_when: true\n"
    )


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
