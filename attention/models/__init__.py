"""From a model's id to a model in memory, with all of its weights or not at all."""
