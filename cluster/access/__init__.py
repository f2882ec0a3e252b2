"""Access to cases: exact counts, the first preset period, transmission paths (S500 to S530)."""
