"""What is most worth fetching now: from a generation to a plan for the crawler."""
