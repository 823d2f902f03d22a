"""For the tests of a service: an in-memory Kafka, and a bus that runs step by step."""
