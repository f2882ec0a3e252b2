"""Who may do what over HTTP: roles, tokens and limits, decided without a server."""
