"""``capture="trigger"``: the database notices changes, and writes their events itself."""
