"""Who waits for whose room: the graph of hosts that pending moves draw."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from balancer.planner.order.moves import Move


def circles(moves: Iterable[Move]) -> tuple[frozenset[str], ...]:
    """Return the sets of hosts that exchange guests in a circle, those that empty first in front.

    Hosts that are in no circle come as sets of one. A move from a later set into an earlier one
    frees room for what enters the later, so that working from the front lets guests leave before
    others arrive.
    """
    import networkx as nx  # noqa: PLC0415 - takes long to import

    graph: nx.DiGraph[str] = nx.DiGraph()
    for move in moves:
        graph.add_edge(move.source, move.target)
    rest = nx.condensation(graph)
    members = [frozenset(rest.nodes[node]["members"]) for node in rest]
    flow = nx.lexicographical_topological_sort(rest.reverse(), key=lambda node: min(members[node]))
    return tuple(members[node] for node in flow)


def ranks(moves: Sequence[Move]) -> Mapping[Move, int]:
    """Return in which turn each move is best tried.

    Within a circle before what enters it from outside, so that its last room is not taken away.
    """
    turn = {host: i for i, hosts in enumerate(circles(moves)) for host in hosts}
    return {m: 2 * turn[m.target] + (turn[m.source] != turn[m.target]) for m in moves}


def circle_of(move: Move, moves: Iterable[Move]) -> tuple[Move, ...]:
    """Return the shortest circle of `moves` that `move` is part of, it in front; or nothing."""
    import networkx as nx  # noqa: PLC0415 - takes long to import

    graph: nx.DiGraph[str] = nx.DiGraph()
    by_hosts: dict[tuple[str, str], Move] = {}
    for other in moves:
        graph.add_edge(other.source, other.target)
        by_hosts.setdefault((other.source, other.target), other)
    try:
        way = nx.shortest_path(graph, move.target, move.source)
    except nx.NetworkXNoPath:
        return ()
    return (move, *(by_hosts[pair] for pair in pairwise(way)))
