"""Snapshots: publishing each row of a model as it is now."""
