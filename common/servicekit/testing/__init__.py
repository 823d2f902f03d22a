"""What the tests of all three services share."""
