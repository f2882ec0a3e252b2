"""The Matchmaker Exchange API 1.0 and 1.1 (GA4GH): messages, scores, metrics and conformance."""
