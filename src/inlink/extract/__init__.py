"""Crawl files in, batches of observations out: ``docs/data-model.md``, "A batch"."""
