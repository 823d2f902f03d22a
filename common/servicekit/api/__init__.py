"""Shared by the REST APIs, in modules named after those of Django REST framework."""
