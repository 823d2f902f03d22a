"""Where webhooks may be sent: checks of URLs and addresses, and the networks that are refused."""
