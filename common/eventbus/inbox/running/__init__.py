"""The worker: batches from Kafka through one transaction each, offsets, heartbeat, replays."""
