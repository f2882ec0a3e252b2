"""What all applications share: the door, the guard of routes, errors, and their place on Serve."""
