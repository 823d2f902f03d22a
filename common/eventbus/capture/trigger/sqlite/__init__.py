"""Triggers on SQLite: for each row, with functions of Django's connection."""
