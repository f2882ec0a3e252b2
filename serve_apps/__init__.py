"""The applications that Ray Serve runs; none imports another."""
