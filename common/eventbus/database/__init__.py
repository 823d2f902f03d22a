"""What Django's ORM does not do fast enough."""
