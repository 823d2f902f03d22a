"""Addresses that webhooks may go to: checks of URLs and hosts, and networks that are refused."""
