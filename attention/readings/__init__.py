"""Readings of a finished run beyond its attention: what its answer's probability would lose without a place.

Owns the folder of such a reading, beside the run's, and the numbers that are read from it. Needs NumPy alone; the pass
through the model that fills the folder is in `attention.capture`.
"""
