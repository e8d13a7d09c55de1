"""What is most worth fetching now: a generation in, a plan for the crawler out."""
