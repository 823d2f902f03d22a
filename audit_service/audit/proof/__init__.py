"""Proving the record: signed checkpoints, and the verification of the chains against them."""
