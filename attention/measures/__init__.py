"""Measures of attention rows, as pure functions: scores, attention sinks, how far two rows lie apart.

Knows neither files nor models.
"""
