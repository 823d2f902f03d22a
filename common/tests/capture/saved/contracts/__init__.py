"""What the models of these tests publish, written by ``write_contracts``."""
