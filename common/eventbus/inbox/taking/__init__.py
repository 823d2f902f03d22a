"""Taking a message: reading it, claiming it in the inbox, and handing it to its handlers."""
