"""Answers to what the viewer asks of a run or a comparison: bytes and headers, whoever hands them over."""
