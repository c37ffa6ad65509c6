"""A run or a comparison as one HTML file: the viewer, and the answers that it asks for."""
