"""Seeded mutations of good inputs, and an oracle that is not ours: a run equals it, or is refused by name.

`good_inputs` has what is right, `kinds` what is done to it, `oracle` what plain transformers, PEFT and Pillow make of
it, `judgement` what this project makes of it and the verdict over both.
"""
