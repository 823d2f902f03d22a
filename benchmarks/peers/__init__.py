"""Other people's outboxes and consumers for Django, set up as their documentation says."""
