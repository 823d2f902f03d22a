from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notification_service.notifications"
