"""An app for the tests: its handlers hold or fail the audit worker at the worst moment."""
