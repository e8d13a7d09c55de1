"""The elements that are open at a place in a page, estimated from its tags alone.

In: start and end tags in order. Out: how deep the parser's stack is there, roughly. It follows
https://html.spec.whatwg.org/#parsing-main-inbody where that affects depth: which end tags close
elements left open within, which are ignored, what a start tag closes, and which formatting elements
are reopened in the next block. Each tag takes constant time, on average.
"""

VOID = frozenset(
    b"area base br col embed hr img input keygen link meta param source track wbr"
    b" html head body frame frameset".split()
)
_FORMATTING = frozenset(b"a b big code em font i nobr s small strike strong tt u".split())
_HEADINGS = frozenset(b"h1 h2 h3 h4 h5 h6".split())
_CELLS = frozenset(b"td th".split())
_SECTIONS = frozenset(b"tbody thead tfoot".split())
_TABLE_PARTS = _CELLS | _SECTIONS | frozenset(b"tr caption colgroup".split())
_SCOPES = frozenset(b"applet caption marquee object table td template th".split())
_CLOSES_P = _HEADINGS | frozenset(
    b"address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption"
    b" figure footer form header hgroup li listing main menu nav ol p plaintext pre search section"
    b" summary table ul xmp".split()
)
_SPECIAL = (
    _CLOSES_P
    | _SCOPES
    | _TABLE_PARTS
    | frozenset(
        b"button iframe noembed noframes noscript script select style textarea title".split()
    )
)
_STOPS_ITEMS = _SPECIAL - frozenset(b"address div p".split())
FOREIGN = frozenset(b"svg math".split())
_HTML_WITHIN = frozenset(b"foreignobject desc title annotation-xml mi mo mn ms mtext".split())
_BREAKS_OUT = _HEADINGS | frozenset(
    b"b big blockquote body br center code dd div dl dt em embed font head hr i img li listing menu"
    b" meta nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
_SAME_ALLOWED = 3
"""Maximum number of equal formatting elements reopened (the "Noah's Ark clause")."""

_GROUPS = {
    "special": _SPECIAL,
    "scope": _SCOPES,
    "stops items": _STOPS_ITEMS,
    "heading": _HEADINGS,
    "item": frozenset(b"dd dt".split()),
    "section": _SECTIONS,
    "cell": _CELLS | {b"caption"},
    "foreign": FOREIGN,
    "html within": _HTML_WITHIN,
}
_GROUPS_OF: dict[bytes, list[str]] = {}
for _group, _names in _GROUPS.items():
    for _name in _names:
        _GROUPS_OF.setdefault(_name, []).append(_group)


class OpenElements:
    """The stack of open elements, and the list of formatting elements to reopen."""

    def __init__(self) -> None:
        self._stack: list[bytes | None] = []  # None: taken out of the middle
        self._places: dict[bytes | str, list[int]] = {}  # in the stack, of each name and group
        self._gone = 0
        self._formatting: dict[bytes, list[bytes]] = {}  # tags by name, not ended by an end tag
        self._formatting_open = 0
        self._formatting_kept = 0

    @property
    def depth(self) -> int:
        """How many elements are open, including those that the next text reopens."""
        return len(self._stack) - self._gone + self.to_copy

    @property
    def to_copy(self) -> int:
        """Formatting elements that a block closed and the next one reopens."""
        return max(0, self._formatting_kept - self._formatting_open)

    def start(self, name: bytes, tag: bytes) -> None:
        """A start tag; *tag* is all of it without its ``>``."""
        if self._place("foreign") > self._place("html within"):
            if name not in _BREAKS_OUT:
                if not tag.endswith(b"/"):
                    self._push(name)
                return
            self._pop_to(self._place("foreign"))
        if name in VOID:
            return
        if name in FOREIGN and tag.endswith(b"/"):
            return
        if name == b"form" and self._place(b"form") >= 0:
            return
        if name in _TABLE_PARTS and not self._close_table_parts(name):
            return
        self._close_before(name)
        if name in _FORMATTING:
            self._keep(name, tag)
        self._push(name)

    def end(self, name: bytes) -> None:
        """An end tag."""
        place = self._place("heading" if name in _HEADINGS else name)
        if name in _FORMATTING:
            self._end_formatting(name, place)
        elif place < 0:
            return
        elif name == b"form":  # elements open within stay open
            self._take_out(place)
        elif name in _TABLE_PARTS:
            if place > self._place(b"table"):
                self._pop_to(place)
        elif name in _SPECIAL:
            if name in _SCOPES or place > self._place("scope"):
                self._pop_to(place)
        elif place > self._place("special"):
            self._pop_to(place)

    def _place(self, name: bytes | str) -> int:
        """The place of the innermost element of that name or group; -1 if none is open."""
        places = self._places.get(name)
        return places[-1] if places else -1

    def _push(self, name: bytes) -> None:
        for key in (name, *_GROUPS_OF.get(name, ())):
            self._places.setdefault(key, []).append(len(self._stack))
        self._stack.append(name)
        self._formatting_open += name in _FORMATTING

    def _pop_to(self, place: int) -> None:
        while len(self._stack) > place:
            name = self._stack.pop()
            if name is None:
                self._gone -= 1
                continue
            for key in (name, *_GROUPS_OF.get(name, ())):
                self._places[key].pop()
            self._formatting_open -= name in _FORMATTING

    def _close_before(self, name: bytes) -> None:
        """What a start tag closes first."""
        if name in _CLOSES_P and self._place(b"p") > max(
            self._place("scope"), self._place(b"button")
        ):
            self._pop_to(self._place(b"p"))
        table = self._place(b"table")
        if name == b"table" and table > max(self._place("cell"), self._place(b"template")):
            self._pop_to(table)
        if name in _HEADINGS and self._place("heading") == len(self._stack) - 1:
            self._pop_to(max(0, len(self._stack) - 1))
        if name in (b"li", b"dd", b"dt"):
            item = self._place(b"li" if name == b"li" else "item")
            if item >= 0 and item == self._place("stops items"):
                self._pop_to(item)
        if name in (b"a", b"nobr") and self._formatting.get(name):
            self._end_formatting(name, self._place(name))
        if name == b"button" and self._place(b"button") > self._place("scope"):
            self._pop_to(self._place(b"button"))
        if name in (b"option", b"optgroup") and self._place(b"option") > self._place("special"):
            self._pop_to(self._place(b"option"))

    def _close_table_parts(self, name: bytes) -> bool:
        """Go back to where the table accepts this part; False if it is not in a table."""
        table = self._place(b"table")
        if table < 0 or table < self._place(b"template"):
            return False
        within = table
        if name not in _SECTIONS and name not in (b"caption", b"colgroup"):
            within = max(within, self._place("section"))
        if name in _CELLS:
            within = max(within, self._place(b"tr"))
        self._pop_to(within + 1)
        return True

    def _keep(self, name: bytes, tag: bytes) -> None:
        tags = self._formatting.setdefault(name, [])
        if tags.count(tag) < _SAME_ALLOWED:
            tags.append(tag)
            self._formatting_kept += 1

    def _end_formatting(self, name: bytes, place: int) -> None:
        if self._formatting.get(name):
            self._formatting[name].pop()
            self._formatting_kept -= 1
        elif place <= self._place("special"):
            return
        if place > self._place("special"):
            self._pop_to(place)
        elif place >= 0:  # the blocks within stay open (the "adoption agency")
            self._take_out(place)
            self._formatting_open -= 1

    def _take_out(self, place: int) -> None:
        name = self._stack[place]
        if name is not None:
            for key in (name, *_GROUPS_OF.get(name, ())):
                self._places[key].remove(place)
            self._stack[place] = None
            self._gone += 1
