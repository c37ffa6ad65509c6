"""Kinds of readings: what may be asked of a finished run, each a row of one table.

Owns the fields of each, the checks before a model is loaded, the name that leads to what is there already, and the cost
in passes and bytes. Page, endpoints and command line are made of these rows. Importing them needs NumPy alone; the
functions that make a reading are loaded when one is made.
"""
