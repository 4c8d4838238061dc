"""A day of PlanetLab in the model of CloudSim 3.0.3: parity with it, and our planner beside it."""
