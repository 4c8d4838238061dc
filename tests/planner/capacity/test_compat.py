"""Which guest could run where."""

from balancer.planner.capacity.compat import matrix, obstacles, would
from tests.drawing import problem


def test_every_guest_has_a_row_and_every_host_a_word() -> None:
    """What fits, what does not and why, and what ties; obstacles name whom they keep."""
    drawn = problem(
        "a 16c/64g networks=lan : x 1v/4g networks=lan | y 1v/4g | z 1v/4g tie=passthrough\n"
        "b 16c/64g networks=lan :\nc 16c/64g :"
    )
    rows = {row.guest: row for row in matrix(drawn)}
    assert rows["x"].fits == ("b",)
    assert "network lan" in rows["x"].against["c"]
    assert rows["y"].fits == ("b", "c")
    assert rows["y"].movable
    assert not rows["z"].movable
    found = obstacles(tuple(rows.values()))
    assert [guests for why, guests in found.items() if "network" in why] == [("x",)]
    assert [guests for why, guests in found.items() if "passthrough" in why] == [("z",)]


def test_what_would_make_it_yes_is_said() -> None:
    """For each host what would undo all that speaks against it; nothing where something cannot be."""
    drawn = problem(
        "a 16c/64g networks=lan storage=ceph : x 1v/4g networks=lan storage=ceph\n"
        "b 16c/64g :\nc 1c/64g : big 2v/4g"
    )
    rows = {row.guest: row for row in matrix(drawn)}
    assert rows["x"].against["b"] == "it lacks network lan; it lacks storage ceph"
    assert rows["x"].would["b"] == (
        "reach that network there, or declare it; share that storage there, or declare it"
    )
    assert would(["the guest has 2 vCPUs, the host 1 cores", "it lacks network lan"]) == ""
    assert any("→ reach that network there" in why for why in obstacles(tuple(rows.values())))
