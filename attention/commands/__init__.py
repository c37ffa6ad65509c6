"""The command line: one module for each command, or for several that do alike."""
