"""The disease database: records, look-up by code and by name, and the answer Y (C8)."""
