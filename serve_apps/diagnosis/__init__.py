"""Image diagnosis over HTTP."""
