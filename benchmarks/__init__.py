"""What is claimed about speed, to be run again by anyone: ``make bench``."""
