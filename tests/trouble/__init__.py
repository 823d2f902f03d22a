"""An app for one test: its handler stops the audit worker in the middle of a batch."""
