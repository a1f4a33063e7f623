"""Generated source compiled, kept in the cache folder and found again."""
