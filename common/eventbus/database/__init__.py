"""Access to the bus's database: alias, base models, bulk writes, error classification, pruning."""
