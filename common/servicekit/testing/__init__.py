"""Shared by the tests of all three services."""
