"""What a plan changes of guests where they are, as people read it and as a script."""

import csv
import io
import json
from dataclasses import replace

import yaml
from rich.console import Console

from balancer.codec import dump_plan, load_plan
from balancer.planner.model.resize import Resize, What
from balancer.planner.model.weighed import Bound, Granted, Share, Weighed
from balancer.render.export.ansible import ansible
from balancer.render.export.btrplace import btrplace
from balancer.render.export.ends import End
from balancer.render.export.gantt import gantt
from balancer.render.export.table import table
from balancer.render.export.virsh import virsh
from balancer.render.plan import plan as plan_text
from balancer.render.why import stays
from balancer.render.words import size
from tests.planner.test_ballooning import FULL, TABLE, working
from tests.planner.test_ballooning import made as taken
from tests.planner.test_ballooning import policy_of as twice
from tests.planner.test_resize import BATCH, SHARED, delayed, made, policy_of

SHARES = made(delayed(SHARED, "db", "w1", "w2"), policy_of(BATCH))
MEMORY = taken(working(FULL, idle=8, hot=15), twice(TABLE))
QUOTA = Resize(id="r9", guest="g", name="g", host="a", what=What.QUOTA, before=0, after=1500)
VCPUS = Resize(id="r9", guest="g", name="g", host="a", what=What.VCPUS, before=1, after=3)


def shown(plan: object) -> str:
    """Return what a terminal of 120 columns shows."""
    out = io.StringIO()
    Console(file=out, width=120).print(plan_text(plan, 120))  # type: ignore[arg-type]
    return out.getvalue()


def test_guests_changed_alike_stand_together() -> None:
    """With what is changed, from what to what, and why."""
    text = shown(SHARES)
    assert "a shares 1 → 0.05  w1, w2 (3.3 vCPUs that count wait less on a)" in text
    assert "which saves 12,000 s of waiting that counts within 1 h:" in text
    assert "a balloon 32 GiB → 26 GiB  idle" in shown(MEMORY)
    assert "vcpus 1 vCPU → 3 vCPUs  g" in shown(replace(SHARES, resizes=(VCPUS,)))
    assert "quota no limit → 1.5 cores  g" in shown(replace(SHARES, resizes=(QUOTA,)))


def test_a_plan_of_resizes_is_read_back_as_it_was() -> None:
    """The document holds all of it."""
    assert load_plan(dump_plan(MEMORY)) == MEMORY


BOTH = replace(MEMORY, resizes=(*SHARES.resizes[:1], QUOTA, *MEMORY.resizes[:1]))


def end(host: str) -> End:
    """Return how a host is reached."""
    return End(uri=f"qemu+ssh://{host}/system", peer_uri="")


def test_a_script_makes_them_first() -> None:
    """By what virsh has for each; what the service set as another kind of quota is lifted."""
    script = virsh(BOTH, end)
    assert "schedinfo --domain=" in script
    assert "--live --set cpu_shares=51" in script
    quota = "--set vcpu_quota=-1 --set global_quota=150000 --set global_period=100000"
    assert quota in script
    assert f"--size={MEMORY.resizes[0].after}MiB --live" in script
    plugged = "setvcpus --domain=g --count=3 --live\n"
    assert plugged in virsh(replace(BOTH, resizes=(VCPUS,)), end)
    lifted = replace(BOTH, resizes=(replace(QUOTA, before=1500, after=0),))
    assert "--set vcpu_quota=-1 --set global_quota=-1\n" in virsh(lifted, end)


def test_limits_of_traffic_are_set_on_each_device() -> None:
    """Disks in one group, network devices in even parts; nought lifts them; in MiB/s for people."""
    disks = replace(QUOTA, what=What.BLOCK, before=0, after=2048, devices=("vda", "vdb"))
    both = replace(BOTH, resizes=(disks, replace(disks, what=What.NETWORK, devices=("m1", "m2"))))
    script = virsh(both, end)
    for disk in ("vda", "vdb"):
        limit = "--total-bytes-sec=2097152 --group-name=balancer --live\n"
        assert f"blkdeviotune --domain=g --device={disk} {limit}" in script
    assert "domiftune --domain=g --interface=m2 --inbound=1024 --outbound=1024 --live\n" in script
    lifted = virsh(
        replace(both, resizes=tuple(replace(r, before=9, after=0) for r in both.resizes)), end
    )
    assert "--device=vdb --total-bytes-sec=0 --live\n" in lifted
    assert "--interface=m1 --inbound=0 --outbound=0 --live\n" in lifted
    assert len(yaml.safe_load(ansible(both, end))[0]["tasks"]) == 4
    assert "block no limit → 2 MiB/s  g" in shown(both)


def test_a_playbook_and_a_table_make_them_first() -> None:
    """The same commands as the script's; a line of its own for each."""
    tasks = yaml.safe_load(ansible(BOTH, end))[0]["tasks"]
    commands = [" ".join(task["ansible.builtin.command"]["argv"]) for task in tasks]
    assert len(commands) == 3
    assert all(command in virsh(BOTH, end) for command in commands)
    lines = list(csv.DictReader(io.StringIO(table(BOTH))))
    assert [(line["what"], line["before"], line["after"]) for line in lines] == [
        (r.what.value, str(r.before), str(r.after)) for r in BOTH.resizes
    ]
    assert {(line["source"], line["target"]) for line in lines} == {("a", "a")}


def test_what_has_no_word_for_them_says_how_many_it_leaves_out() -> None:
    """BtrPlace's JSON; a picture names them, though they take no time."""
    assert json.loads(btrplace(BOTH))["left_out"] == {"resizes": 3}
    assert "left_out" not in json.loads(btrplace(replace(BOTH, resizes=())))
    drawn = gantt(BOTH)
    assert "3 resizes before" in drawn
    assert "a: quota no limit → 1.5 cores: g" in drawn
    many = tuple(replace(QUOTA, id=f"r{n}", host=f"h{n}") for n in range(50))
    assert "and 10 more" in gantt(replace(BOTH, resizes=many))


def test_why_tells_what_a_guest_gets_and_what_is_missing_for_more() -> None:
    """By which bound; and nothing of it where the policy resizes nobody."""
    held = Granted(
        host="a", wanted=4000, got=1500, bound=Bound.RESERVATION, missing=("this", "that")
    )
    out = io.StringIO()
    terminal = Console(file=out, width=120)
    terminal.print(stays("g", "a", Weighed(guest="g", resized=held), ()))
    assert "fair division on a gives it 1.5 of the 4.0 cores it wants, by its reservation" in (
        out.getvalue()
    )
    assert "this; that" in out.getvalue()
    free = replace(
        held,
        bound=Bound.NONE,
        missing=(),
        beside=(
            Share(what="memory", wanted=4096, got=2048, bound=Bound.SHARE),
            Share(what="disk", wanted=2048, got=2048, bound=Bound.NONE),
            Share(what="network", wanted=0, got=0, bound=Bound.NONE),
        ),
    )
    terminal.print(stays("g", "a", Weighed(guest="g", stays="held", resized=free), ()))
    assert "fair division on a gives it all of the 4.0 cores it wants" in out.getvalue()
    assert f"it has {size(2048)} of the {size(4096)} it wants, by its share" in out.getvalue()
    assert "it has all of the 2 MiB/s it wants" in out.getvalue()
    assert "it wants none now" in out.getvalue()
    busy = Granted(host="a", wanted=1900, got=1900, bound=Bound.VCPUS)
    terminal.print(stays("g", "a", Weighed(guest="g", resized=busy), ()))
    assert "all of the 1.9 cores it wants: all that its vCPUs can use" in out.getvalue()
    before = len(out.getvalue())
    terminal.print(stays("g", "a", Weighed(guest="g", stays="held"), ()))
    assert "fair division" not in out.getvalue()[before:]
