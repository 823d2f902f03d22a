"""Apache Kafka and PostgreSQL for the tests, and what a fault under load is measured with."""
