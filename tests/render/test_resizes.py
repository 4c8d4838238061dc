"""What a plan changes of guests where they are, as people read it and as a script."""

import io
from dataclasses import replace

from rich.console import Console

from balancer.codec import dump_plan, load_plan
from balancer.planner.model.resize import Resize, What
from balancer.render.export.ends import End
from balancer.render.export.virsh import virsh
from balancer.render.plan import plan as plan_text
from tests.planner.test_ballooning import FULL, TABLE, working
from tests.planner.test_ballooning import made as taken
from tests.planner.test_ballooning import policy_of as twice
from tests.planner.test_resize import BATCH, SHARED, delayed, made, policy_of

SHARES = made(delayed(SHARED, "db", "w1", "w2"), policy_of(BATCH))
MEMORY = taken(working(FULL, idle=8, hot=15), twice(TABLE))
QUOTA = Resize(id="r9", guest="g", name="g", host="a", what=What.QUOTA, before=0, after=1500)


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
    assert "quota no limit → 1.5 cores  g" in shown(replace(SHARES, resizes=(QUOTA,)))


def test_a_plan_of_resizes_is_read_back_as_it_was() -> None:
    """The document holds all of it."""
    assert load_plan(dump_plan(MEMORY)) == MEMORY


def test_a_script_makes_them_first() -> None:
    """By what virsh has for each."""
    both = replace(MEMORY, resizes=(*SHARES.resizes[:1], QUOTA, *MEMORY.resizes[:1]))
    script = virsh(both, lambda host: End(uri=f"qemu+ssh://{host}/system", peer_uri=""))
    assert "schedinfo --domain=" in script
    assert "--live --set cpu_shares=51" in script
    assert "--set global_period=100000 --set global_quota=150000" in script
    assert f"--size={MEMORY.resizes[0].after}MiB --live" in script
