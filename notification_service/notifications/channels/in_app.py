"""In-app notifications. No other system is involved, so one transaction does everything."""

from notification_service.notifications.facts import from_text
from notification_service.notifications.messages.outgoing import OutgoingMessage
from notification_service.notifications.messages.words import Words
from notification_service.notifications.models import Notification

MOST_LINES = 50


def notification(message: OutgoingMessage, words: Words) -> Notification:
    """Build the notification for a message, without saving it."""
    subscription = message.subscription
    if subscription is None:
        raise ValueError("the subscription was deleted")
    first = message.first
    language = subscription.language
    if not message.is_digest:
        return Notification(
            user_id=first.owner_id,
            kind=from_text(first.facts)[0],
            event_id=first.event.event_id,
            product_id=first.event.product_id,
            text=words.of(first, language),
        )
    lines = [words.of_digest(len(message.deliveries), language)]
    lines += [words.of(delivery, language) for delivery in message.deliveries[:MOST_LINES]]
    if len(message.deliveries) > MOST_LINES:
        lines.append("…")
    return Notification(user_id=first.owner_id, kind=Notification.DIGEST, text="\n".join(lines))
