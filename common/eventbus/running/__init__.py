"""What long-lived commands share: stopping, waiting for what is missing, supervising."""
