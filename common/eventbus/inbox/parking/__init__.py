"""Parking: failed events wait in line, are retried in order, and can be resolved by people."""
