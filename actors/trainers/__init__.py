"""Training runs on the cluster: Ray Train around the pure functions of the core."""
