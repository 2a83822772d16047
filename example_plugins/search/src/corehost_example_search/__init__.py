"""Search by parts of words over whatever has a title."""
