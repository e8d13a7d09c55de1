"""Fetches the web politely, and writes what it got as WARC files."""
