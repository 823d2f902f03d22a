"""The models of the audit service."""

from audit_service.audit.models.alerts import Alert, KnownActor, Rule
from audit_service.audit.models.entries import NOTHING, AuditEntry
from audit_service.audit.models.proof import ChainHead, Checkpoint, ExportRecord

__all__ = [
    "NOTHING",
    "Alert",
    "AuditEntry",
    "ChainHead",
    "Checkpoint",
    "ExportRecord",
    "KnownActor",
    "Rule",
]
