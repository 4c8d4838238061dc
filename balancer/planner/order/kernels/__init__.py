"""Array code: plain Python that a compiler can read. Small problems run it as it is."""
