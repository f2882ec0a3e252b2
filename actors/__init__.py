"""Processes: thin Ray actors around the core, durable before they answer."""
