"""API keys: what they may spend, how fast, and what they have used."""
