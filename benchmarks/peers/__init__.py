"""Third-party outboxes and consumers for Django, set up as in their documentation."""
