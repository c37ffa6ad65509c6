"""Files for other programs, of a run or a comparison: whole or not at all."""
