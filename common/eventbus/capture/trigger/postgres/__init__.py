"""Triggers on PostgreSQL: for each statement, with its rows before and after."""
