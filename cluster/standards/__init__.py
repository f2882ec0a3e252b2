"""Interfaces of other people's standards: their messages, their rules, and how both are checked."""
