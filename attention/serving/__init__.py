"""The HTTP routes from which the viewer reads runs and comparisons."""
