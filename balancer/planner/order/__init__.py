"""From a target placement to moves that are safe at every instant."""
