"""Capacity questions, answered by the very pipeline that plans: no second model of the cluster."""
