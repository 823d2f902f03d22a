"""The REST API of products and categories."""
