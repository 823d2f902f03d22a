"""Shared by the three services but not part of the library: settings, logs, APIs."""
