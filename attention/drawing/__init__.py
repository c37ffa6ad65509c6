"""A map as pixels: palettes, ranges, cells on a picture, figures and their words. Knows neither models nor HTTP."""
