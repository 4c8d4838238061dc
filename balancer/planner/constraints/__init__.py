"""Rules: one per file, and this table. A policy's `[[name]]` makes the class under that name."""
