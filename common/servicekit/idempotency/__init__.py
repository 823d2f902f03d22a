"""Idempotent requests: carried out once per ``Idempotency-Key``, however often they are sent."""
