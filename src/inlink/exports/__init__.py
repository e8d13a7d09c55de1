"""Exports (download-all-backlinks): the queue of tasks, the workers, and the downloads."""
