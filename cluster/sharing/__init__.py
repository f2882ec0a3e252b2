"""Platform tags, decision, gate, delivery and refresh (S100, S200, S800-S1040)."""
