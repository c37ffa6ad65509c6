"""Places that answers name: read from the answer's text, in the space in which its numbers count, onto its pictures."""
