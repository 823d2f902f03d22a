"""Security: what the rules find in events, raised as alerts.

It can be asked about an event at any time after that was recorded, once and in a transaction of its
own: what it needs to know is in the record and in its own tables, nothing is kept in memory.
"""

from audit_service.audit.security.watching import raise_alerts

__all__ = ["raise_alerts"]
