"""The worker: one transaction per batch from Kafka, offsets, heartbeat, replays."""
