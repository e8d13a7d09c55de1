"""What crawling, extraction and evidence share: HTTP answers, WARC and ARC records, charsets."""
