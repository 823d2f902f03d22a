"""The contract classes of published models: written once, reviewed, and compared ever after."""
