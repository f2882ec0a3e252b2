"""What crosses a process: messages, tables, results. A field is added, never taken away."""
