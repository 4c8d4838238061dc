"""The words of the planner: immutable values in integer units."""
