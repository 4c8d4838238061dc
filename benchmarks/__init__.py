"""Measurements of the planner against others: tools of the project, no part of the product."""
