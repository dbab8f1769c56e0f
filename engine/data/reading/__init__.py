"""Reading other people's tables: what a file looks like, which plan follows from that, and the values."""
