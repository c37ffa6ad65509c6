"""A batch as a data set that the Hub shows and streams: Parquet with pictures, a card, and what was kept beside it."""
