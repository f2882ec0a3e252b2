"""A GA4GH Beacon v2: how many individuals have all of some terms, never who they are."""
