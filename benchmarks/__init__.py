"""Reproducible benchmarks of the performance claims: ``python -m benchmarks``."""
