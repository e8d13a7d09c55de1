"""Why a fetch failed, in the words that a WARC ``metadata`` record has for it."""


class FetchError(Exception):
    """A fetch that got no whole answer.

    *cause* is one of those that ``inlink.extract.captures`` names, *words* say more.
    """

    def __init__(self, cause: str, words: str) -> None:
        super().__init__(f"{cause} {words}")
        self.cause = cause
        self.words = words
