"""Messages: the deliveries that are sent as one, and the texts they are written with."""
