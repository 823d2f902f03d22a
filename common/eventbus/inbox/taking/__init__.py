"""Taking a message: decode it, claim it in the inbox, and pass it to its handlers."""
