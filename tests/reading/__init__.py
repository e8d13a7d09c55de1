"""An independent reading of crawl files: what the documents say, done slowly and plainly.

The project's own code is tested against it, so nothing of ``inlink`` is imported here and none of
its libraries for WARC, HTML, URLs and public suffixes is used. The way through:

    records.read    crawl file            -> visits        warcio
      encoding        bytes               -> text          webencodings, html5lib's prescan
      markup          text                -> what a page says
      urls            reference and base  -> URL, host, registrable domain
    history.fold    visits                -> stretches of time that links were live
    answers         stretches             -> what the commands of the API answer

Contract: ``docs/data-model.md``, ``docs/contract.md`` and the WHATWG standards for URLs,
encodings and HTML.
"""
