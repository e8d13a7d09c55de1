"""Declarative shadow roots: templates whose content is part of the page.

In: the ``template`` elements of a parsed page that have ``shadowrootmode``. Out: their content,
moved to where it is shown, before its template.

A template counts if a browser attaches its content to the element that it is in
(https://html.spec.whatwg.org/#the-template-element, 4.12.3). That element must be one that may have
a shadow root, and the template must be the first of its kind in it.
"""

import re

from selectolax.lexbor import LexborNode

SHADOW_ROOT = "template[shadowrootmode]"

_MODES = ("open", "closed")
_HOSTS = frozenset(  # https://dom.spec.whatwg.org/#valid-shadow-host-name
    "article aside blockquote body div footer h1 h2 h3 h4 h5 h6 header main nav p section"  # noqa: SIM905
    " span".split()
)
_CUSTOM_NAME = re.compile(r"[a-z][^A-Z\0/>\s]*-[^A-Z\0/>\s]*")
_RESERVED = frozenset(  # https://html.spec.whatwg.org/#valid-custom-element-name
    "annotation-xml color-profile font-face font-face-src font-face-uri font-face-format"  # noqa: SIM905
    " font-face-name missing-glyph".split()
)


def show_shadow_roots(templates: list[LexborNode]) -> None:
    """Move the content of *templates*, and of those within it, to where it is shown."""
    hosts: set[int] = set()
    waiting = templates[::-1]
    while waiting:
        template = waiting.pop()
        host = template.parent
        if host is None or host.mem_id in hosts or not _attaches(template, host):
            continue
        hosts.add(host.mem_id)
        for content in template.template_fragments():
            waiting += content.css(SHADOW_ROOT)[::-1]
            while (child := content.first_child) is not None:
                template.insert_before(child, move=True)


def _attaches(template: LexborNode, host: LexborNode) -> bool:
    name = host.tag or ""
    can_host = name in _HOSTS or (_CUSTOM_NAME.fullmatch(name) and name not in _RESERVED)
    return bool(can_host) and (template.attributes["shadowrootmode"] or "").lower() in _MODES
