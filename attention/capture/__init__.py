"""From a request to a run's folder: pictures and words as model inputs, the forward pass, what of it is kept."""
