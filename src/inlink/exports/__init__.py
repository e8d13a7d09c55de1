"""download-all-backlinks: the queue of tasks, and the workers that write the files."""
