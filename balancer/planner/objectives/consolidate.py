"""Fewer hosts for the same guests."""

from dataclasses import dataclass

from balancer.planner.formulation import Formulation


@dataclass(frozen=True, kw_only=True)
class Consolidate:
    """Each host that has any guest costs `points_per_host`: hosts are emptied where that pays the moves.

    None is made hot for it. Points are those of moves: see `[stability]`.
    """

    points_per_host: int = 0
    """0, as long as the policy does not say, for not at all."""

    @property
    def label(self) -> str:
        """Its name in reports."""
        return "consolidate"

    def post(self, formulation: Formulation) -> None:
        """Write the price of a host in use."""
        problem = formulation.problem
        if not problem.policy.repairs_only and self.points_per_host:
            formulation.site_cost[formulation.sites(problem.receiving)] += self.points_per_host
