"""The published language: what one service tells the others. Imports nothing but events."""
