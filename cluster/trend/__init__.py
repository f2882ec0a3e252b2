"""Access trends: the network that foresees which cases will be asked for (S600-S640, S540-S550)."""
