"""download-all-backlinks: the queue of tasks, the workers that write files, and the downloads."""
