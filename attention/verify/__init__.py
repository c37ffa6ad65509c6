"""The promises, checked on a person's own weights."""
