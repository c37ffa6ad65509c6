"""Effects of what a model reads: regions and heads tried without, beside controls, and how far maps agree with them."""
