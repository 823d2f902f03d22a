"""What is claimed about speed, for anybody to run again: ``python -m benchmarks``."""
