from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit_service.audit"
