"""What hosts have is not given out twice."""

from dataclasses import replace

from balancer.planner.constraints.capacity import Capacity
from balancer.planner.formulation import Row, formulate
from balancer.planner.model.cluster import Cluster, NumaCell
from balancer.planner.model.placement import at_rest
from balancer.planner.model.problem import Problem
from tests.drawing import placed, problem


def sentences(question: Problem, rule: Capacity, **where: str) -> list[str]:
    occupancy = at_rest(placed(question.cluster, **where))
    return [v.sentence for v in rule.violations(question, occupancy)]


def test_memory_is_said_in_gib() -> None:
    """Large amounts are read in GiB, small ones in MiB."""
    rule = Capacity()
    assert sentences(problem("a 8c/10g : x 1v/8g | y 1v/4g\nb 1c/512m : z 1v/600m"), rule) == [
        "a gives out 12.0 GiB of memory, but has only 10.0 GiB of memory to give",
        "b gives out 600 MiB of memory, but has only 512 MiB of memory to give",
    ]


def test_the_reserve_and_what_is_kept_for_the_hypervisor_are_not_given_out() -> None:
    """Both come off what the host has, then memory may be overcommitted."""
    question = problem("a 8c/16g reserve=2g :")
    assert Capacity(keep_for_hypervisor=4096).rooms(question)["a"]["memory"] == 10 * 1024
    assert Capacity(memory_overcommit=1.5).rooms(question)["a"]["memory"] == 21 * 1024
    assert Capacity(keep_for_hypervisor=99_999).rooms(question)["a"]["memory"] == 0


def test_vcpus_are_held_to_their_ratio() -> None:
    """Four to a core unless said otherwise."""
    question = problem("a 2c/64g : x 8v/1g | y 1v/1g")
    assert sentences(question, Capacity()) == ["a gives out 9 vCPUs, but has only 8 vCPUs to give"]
    assert sentences(question, Capacity(vcpus_per_core=5.0)) == []


def test_memory_in_huge_pages_is_counted_once() -> None:
    """A guest on huge pages takes pages; the host's pages are not ordinary memory."""
    text = """
        a 8c/16g pages=4096 : db 1v/8g pages=4096 | web 1v/8g
        b 8c/16g            :
        """
    question, rule = problem(text), Capacity()
    assert rule.rooms(question)["a"]["memory"] == 8 * 1024
    assert sentences(question, rule) == []
    assert sentences(question, rule, db="b") == [
        "b gives out 4096 huge pages of 2048 KiB, but has only 0 huge pages of 2048 KiB to give"
    ]


def test_pages_of_cells_count_where_the_host_declares_none() -> None:
    """What each memory node has is summed."""
    question = problem("a 8c/16g : db 1v/8g pages=4096")
    cells = tuple(
        NumaCell(id=n, cpus=4, memory_mib=8192, hugepages={"hugepages-2048": 2048})
        for n in range(2)
    )
    host = replace(question.cluster.hosts[0], numa=cells)
    cluster = Cluster((host,), question.cluster.guests, question.cluster.placement)
    assert sentences(Problem(cluster, question.demand, question.policy), Capacity()) == []


def test_a_guest_in_flight_holds_room_on_its_target() -> None:
    """Solvers see it at its source, so its target has that much less to give."""
    rule = Capacity()
    question = problem("a 8c/16g : x 1v/4g moving=b\nb 8c/16g :", rule)
    memory = next(
        p for p in formulate(question).primitives if isinstance(p, Row) and "memory" in p.label
    )
    assert memory.limit.tolist() == [16 * 1024, 12 * 1024]


def test_without_hosts_there_is_nothing_to_write() -> None:
    """An empty cluster poses no rows."""
    assert formulate(problem("", Capacity())).primitives == []
