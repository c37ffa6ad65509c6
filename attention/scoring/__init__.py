"""Scores over a set: whether models look at the right place, over many questions, with what chance would give."""
