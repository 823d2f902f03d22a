"""A test app whose handlers pause or fail the audit worker at the worst moment."""
