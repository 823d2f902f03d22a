"""Shared by long-running commands: stopping, waiting for dependencies, supervising."""
