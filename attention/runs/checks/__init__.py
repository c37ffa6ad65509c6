"""Checks of files that come from anybody: JSON, tensor headers, zips, a whole run."""
