"""Tests mirror the tree of balancer/, file for file."""
