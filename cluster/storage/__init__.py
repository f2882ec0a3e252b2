"""The only room that reads and writes: ledger, vector index, blobs, keys, sources."""
