"""Publish and consume events between Django projects: outbox, Apache Kafka, inbox."""
