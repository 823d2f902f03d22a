"""The relay: one process a database, which sends what waits in the outbox to Kafka, in order."""
