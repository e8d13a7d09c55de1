"""What is on disk and where: layout, schemas, settings."""
