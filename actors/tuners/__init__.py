"""Searches of configurations with Ray Tune: many trials, of which the worst are stopped early."""
