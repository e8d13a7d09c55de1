"""Where things lie on disk: layout, schemas, settings."""
