"""Compiled loops over plain arrays. Nothing here knows a rule: only rows, crowds, budgets, prices."""
