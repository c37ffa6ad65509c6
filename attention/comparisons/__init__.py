"""Runs set against each other: reading, measuring, drawing and checking them. Knows no PEFT."""
