"""API keys: their units, rates and usage."""
