"""kafka-python clients, built in one place from ``EVENTBUS["KAFKA"]``; topics, lag, history."""
