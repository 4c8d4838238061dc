"""A plan as a POSIX shell script of virsh commands: one move after the other, stopping at a fault."""

import shlex
from collections.abc import Callable, Sequence
from typing import Final

from balancer.planner.model.plan import Action, Plan
from balancer.planner.model.resize import Resize, What
from balancer.render.export.ends import End, bandwidth, commands, copying, migrate_uri
from balancer.render.words import clean

HEAD: Final = """\
#!/bin/sh
# Plan {id}, starting from placement {fingerprint}.
# One move after the other, in an order that is safe; it stops at the first that fails.
# Nothing is judged anew here: if guests have moved since, make a new plan.
set -eu

move() {{
    # step, name, uuid, source, target, migration network, bandwidth, pause in ms, how and how
    # again, disks to copy: their old copies stay where they are
    printf '%s\\n' "$1: $2"
    if [ "$(virsh -q -c "$4" domstate "--domain=$3")" != running ]; then
        printf '%s\\n' "$2 does not run where the plan expects it: stopped" >&2
        exit 1
    fi
    virsh -q -c "$4" migrate-setmaxdowntime "--domain=$3" "--downtime=$8" || :
    virsh -q -c "$4" migrate --live --p2p --persistent --undefinesource --abort-on-error \\
        --change-protection ${{9:+"$9"}} ${{10:+"${{10}}"}} \\
        ${{11:+"${{11}}"}} ${{12:+"${{12}}"}} "$7" ${{6:+"--migrateuri=$6"}} \\
        "--domain=$3" "--desturi=$5"
}}

"""


COLD: Final = """\
cold() {
    # step, name, uuid, source, target
    printf '%s\\n' "$1: $2, cold"
    if [ "$(virsh -q -c "$4" domstate "--domain=$3")" != running ]; then
        printf '%s\\n' "$2 does not run where the plan expects it: stopped" >&2
        exit 1
    fi
    kept=$(virsh -q -c "$4" dumpxml "--domain=$3" --inactive --security-info --migratable)
    by_itself=$(LC_ALL=C virsh -q -c "$4" dominfo "--domain=$3" | awk '/^Autostart/ { print $2 }')
    virsh -q -c "$4" autostart --disable "--domain=$3"
    virsh -q -c "$4" shutdown "--domain=$3"
    waited=0
    until [ "$(virsh -q -c "$4" domstate "--domain=$3")" = 'shut off' ]; do
        waited=$((waited + 1))
        if [ "$waited" -gt 300 ]; then
            printf '%s\\n' "$2 does not shut down: stopped" >&2
            exit 1
        fi
        sleep 1
    done
    if printf '%s\\n' "$kept" | virsh -q -c "$5" define /dev/stdin &&
        virsh -q -c "$5" start "--domain=$3"; then
        virsh -q -c "$4" undefine "--domain=$3" --keep-nvram
        if [ "$by_itself" = enable ]; then virsh -q -c "$5" autostart "--domain=$3"; fi
    else
        virsh -q -c "$4" start "--domain=$3"
        if [ "$by_itself" = enable ]; then virsh -q -c "$4" autostart "--domain=$3"; fi
        printf '%s\\n' "$2 did not start there, and was started where it was: stopped" >&2
        exit 1
    fi
}

"""


def virsh(plan: Plan, end: Callable[[str], End]) -> str:
    """Return the script; `end` tells how each host is reached."""
    moves = "".join(_resize(one, end) for one in plan.resizes)
    moves += "".join(_move(action, end) for action in plan.actions)
    head = HEAD.format(id=_word(plan.id), fingerprint=_word(plan.fingerprint))
    head += COLD if any(action.cold for action in plan.actions) else ""
    return head + moves + "printf '%s\\n' 'all moves done'\n"


def _move(action: Action, end: Callable[[str], End]) -> str:
    source, target = end(action.source), end(action.target)
    if action.cold:
        said = f"{clean(action.name)} from {clean(action.source)} to {clean(action.target)}"
        return _call("cold", (clean(action.id), said, action.guest, source.uri, target.uri))
    words = (
        clean(action.id),
        f"{clean(action.name)} from {clean(action.source)} to {clean(action.target)}",
        action.guest,
        source.uri,
        target.peer_uri or target.uri,
        migrate_uri(target),
        bandwidth(action),
        str(max(1, action.downtime_ms)),
        "--auto-converge" if action.auto_converge else "",
        "--unsafe" if action.unsafe_storage else "",
        *copying(action),
    )
    return _call("move", words)


def _call(what: str, words: Sequence[str]) -> str:
    return f"{what} {' '.join(shlex.quote(word.replace(chr(0), '')) for word in words)}\n"


def _resize(one: Resize, end: Callable[[str], End]) -> str:
    """Return the lines that change a setting."""
    said = f"# {_word(one.id)}: {_word(one.name)} on {_word(one.host)}: {one.what} {one.before} to {one.after}\n"
    if one.what is What.SHARES:
        said += "# 1024 is the usual weight with version 1 of cgroups; with version 2 write 100 for 1024\n"
    for told in commands(one):
        words = ("virsh", "-q", "-c", end(one.host).uri, *told)
        said += " ".join(shlex.quote(word.replace(chr(0), "")) for word in words) + "\n"
    return said


def _word(text: str) -> str:
    """Return what may stand in a comment: no line ends there but at its end."""
    return clean(text)
