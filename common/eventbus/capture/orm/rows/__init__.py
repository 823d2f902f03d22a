"""Rows before and after a write, and the events that follow from the difference."""
