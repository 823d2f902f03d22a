"""What the three services share, and the library does not need: settings, logs, APIs."""
