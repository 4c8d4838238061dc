"""The rack-awareness script, run by a real shell."""

import subprocess
from pathlib import Path

import pytest

from balancer.planner.model.cluster import Cluster
from balancer.planner.model.placement import fingerprint
from balancer.render.export.hdfs import topology
from tests.drawing import draw

RACKS = """
    a 16c/64g rack=r1 : dn-1 1v/1g address=10.0.0.1,dn1.example.org | dn-2 1v/1g
    b 16c/64g rack=r2 : dn-3 1v/1g
    c 16c/64g : dn-4 1v/1g
"""


def written(cluster: Cluster, *, node_groups: bool = False) -> str:
    name = fingerprint(cluster.placement)
    return topology(cluster, cluster.guests, name, node_groups=node_groups)


def asked(folder: Path, script: str, *nodes: str) -> list[str]:
    """Return what the script answers, as Hadoop reads it: words, one for each node."""
    (folder / "topology.sh").write_text(script)
    done = subprocess.run(
        ["/bin/sh", folder / "topology.sh", *nodes], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_each_node_gets_its_rack_in_order(tmp_path: Path) -> None:
    """By name, by name with a domain, by address; and who is unknown gets the default."""
    script = written(draw(RACKS))
    nodes = ("dn-3", "10.0.0.1", "dn-2.example.org", "dn1.example.org", "dn-4", "elsewhere")
    assert asked(tmp_path, script, *nodes) == [
        "/r2", "/r1", "/r1", "/r1", "/default-rack", "/default-rack",
    ]  # fmt: skip
    assert asked(tmp_path, script) == []


def test_all_locations_are_as_deep(tmp_path: Path) -> None:
    """Hadoop refuses a tree of uneven depth: with one room all have one, and so with hosts."""
    cluster = draw(RACKS.replace("rack=r1", "rack=r1 room=m1"))
    nodes = ("dn-1", "dn-3", "elsewhere")
    assert asked(tmp_path, written(cluster), *nodes) == [
        "/m1/r1", "/default-room/r2", "/default-room/default-rack",
    ]  # fmt: skip
    assert asked(tmp_path, written(cluster, node_groups=True), *nodes) == [
        "/m1/r1/a", "/default-room/r2/b", "/default-room/default-rack/nodegroup",
    ]  # fmt: skip


def test_an_address_is_not_taken_for_a_name(tmp_path: Path) -> None:
    """A guest called 10 is not the first part of 10.0.0.9."""
    script = written(draw("a 16c/64g rack=r1 : 10 1v/1g"))
    assert asked(tmp_path, script, "10", "192.0.2.9") == ["/r1", "/default-rack"]
    assert asked(tmp_path, script, "10.255.255.254") == ["/default-rack"]


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    """Whatever a guest is called, the script says where it is and does nothing else."""
    cluster = draw("a 16c/64g rack=r1 : X 1v/1g")
    for name in ("a'b", "$(touch gone)", "x) rm -rf *", "*", "a\nb", "-n"):
        (guest,) = cluster.guests
        hostile = Cluster(
            cluster.hosts, (type(guest)(**{**fields_of(guest), "name": name}),), cluster.placement
        )
        assert asked(tmp_path, written(hostile), name) == ["/r1"]
        assert asked(tmp_path, written(hostile), "other") == ["/default-rack"]
    assert not (tmp_path / "gone").exists()


def fields_of(guest: object) -> dict[str, object]:
    return {name: getattr(guest, name) for name in guest.__slots__}  # type: ignore[attr-defined]


def test_what_hadoop_cannot_read_is_refused() -> None:
    """A rack with a space in its name, and two guests of one name in two racks."""
    cluster = draw(RACKS.replace("rack=r1", "rack=r/1"))
    with pytest.raises(ValueError, match=r"host a: rack 'r/1' cannot be part"):
        written(cluster)
    twice = draw("a 16c/64g rack=r1 : x 1v/1g address=n\nb 16c/64g rack=r2 : y 1v/1g address=n")
    with pytest.raises(ValueError, match="2 guests in different places are named n"):
        written(twice)
