"""Pages of long lists."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Pages that stay stable while rows come in, and cost the same however deep they are."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 1000
