"""Decides. Values in, values out: no I/O, clock, randomness, threads or logging."""
