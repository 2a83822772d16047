"""A fleet of real host processes on a local PostgreSQL, to look at."""
