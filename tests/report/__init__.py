"""Reports as files and in a browser."""
