"""The rare case in the shape of a GA4GH phenopacket, and what of it may leave a platform."""
