"""The published language: the contracts between the services. Imports only ``eventbus.events``."""
