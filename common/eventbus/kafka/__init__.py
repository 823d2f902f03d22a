"""kafka-python clients, built in one place from ``settings.KAFKA``; topics."""
