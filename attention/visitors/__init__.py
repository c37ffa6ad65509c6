"""Many people at one machine: whose runs are kept how long, and whose job is running."""
