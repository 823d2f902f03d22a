"""Rules that raise alerts about suspicious events.

Events can be checked at any time after they were recorded, once, and in a transaction of their own:
everything that the rules need is in the record and in their own tables, nothing in memory.
"""

from audit_service.audit.security.watching import raise_alerts

__all__ = ["raise_alerts"]
