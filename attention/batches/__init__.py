"""Data sets of questions: each a run, a comparison or its numbers, named by its content, and none made twice."""
