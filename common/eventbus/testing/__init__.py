"""What the tests of a service need: Kafka in memory, and the bus that runs step by step."""
