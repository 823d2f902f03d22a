"""Events between Django projects, through an outbox, Apache Kafka and an inbox."""
