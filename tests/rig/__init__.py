"""Apache Kafka and PostgreSQL for the tests, and the tools to measure faults under load."""
