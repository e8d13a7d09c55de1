"""Pages that a browser reads, too: what it shows of each has to be what the extractor reads.

Chromium opens all pages at once, each in a frame, and writes down the title, the links with the
texts that it renders, and where the frame is in the end.
"""

import http.server
import json
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from html import unescape
from typing import Any, NamedTuple

import pytest

from inlink.extract.captures import Capture
from inlink.extract.observe import Observer, VisitRow
from inlink.extract.urlbook import UrlBook

HTML = "text/html; charset=utf-8"
XHTML = "application/xhtml+xml"
ROOT = '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:x="http://www.w3.org/1999/xlink">'
STRICT = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "xhtml1-strict.dtd">'


class Page(NamedTuple):
    body: str
    fields: tuple[tuple[str, str], ...] = (("Content-Type", HTML),)


def xml(body: str, *, head: str = "<head><title>t</title></head>", before: str = "") -> Page:
    return Page(f"{before}{ROOT}{head}<body>{body}</body></html>", (("Content-Type", XHTML),))


def refresh(content: str) -> Page:
    return Page(f'<meta http-equiv="refresh" content="{content}">')


def refresh_field(value: str, body: str = "") -> Page:
    return Page(body, (("Content-Type", HTML), ("Refresh", value)))


LINKS = {
    "br": Page("<a href=x>One<br>Two</a>"),
    "blocks": Page("<a href=x>a<div>b</div>c<p>d</p><h3>e</h3>f<ul><li>g<li>h</ul></a>"),
    "in line": Page("<a href=x><b>O</b>ne <span>t</span>wo<i></i>x<em>y</em><!-- -->z</a>"),
    "cells": Page("<a href=x><table><tr><td>a<td>b<tr><th>c</table></a>"),
    "sections": Page(
        "<a href=x><article>a</article><section>b</section><header>c</header><footer>d</footer>"
        "<figure>e<figcaption>f</figcaption></figure><blockquote>g</blockquote><pre>h</pre>i<hr>j"
        "<address>k</address><center>l</center><dl><dt>m<dd>n</dl><main>o</main><nav>p</nav></a>"
    ),
    "images and breaks": Page("<a href=x>a<img alt=i>b<wbr>c<br><br>d</a>"),
    "details": Page("<a href=x>a<details open><summary>b</summary>c</details>d</a>"),
    "xlink": Page("<svg><a xlink:href=x><text>t</text></a></svg>"),
    "href before xlink": Page("<svg><a xlink:href=x href=y><text>t</text></a></svg>"),
    "no xlink in HTML": Page("<a xlink:href=x>t</a><a href=y>u</a>"),
    "no links of MathML": Page(
        "<math><a href=x>t</a><mtext><a href=y>u</a></mtext><a xlink:href=z></a></math><a href=w>"
    ),
    "base of SVG": Page("<svg><base href=/no/></svg><base href=/yes/><a href=x>t</a>"),
    "base of MathML": Page("<math><base href=/no/></math><a href=x>t</a>"),
    "base within foreignObject": Page(
        "<svg><foreignObject><base href=/yes/></foreignObject></svg><a href=x>t</a>"
    ),
    "first base": Page("<base target=_top><base href=/a/><base href=/b/><a href=x>t</a>"),
    "base without base": Page("<base href=''><base href=/b/><a href=x>t</a>"),
    "base of another scheme": Page(
        "<base href='ftp://f.example/'><a href=x>a</a><a href=//y.example>b</a><a href=#c>c</a>"
        "<a href='http://z.example/'>d</a><a href=/e>e</a><a href=''>f</a>"
    ),
    "base without hierarchy": Page(
        "<base href=mailto:x><a href=x>a</a><a href=#c>b</a><a href='http://z.example/'>d</a>"
    ),
    "base of data": Page("<base href=data:,x><a href=x>t</a>"),
    "base of script": Page("<base href=javascript:x><a href=x>t</a>"),
    "shadow root": Page(
        "<a href=1>a</a><div><template shadowrootmode=open><a href=2>b<br>c</a></template></div>"
        "<a href=3>d</a>"
    ),
    "shadow roots within": Page(
        "<my-page><template shadowrootmode=OPEN><p><a href=1>a</a><my-part><template"
        " shadowrootmode=open><a href=2>b</a></template></my-part><a href=3>c</a></template>"
        "</my-page>"
    ),
    "a shadow root says nothing of the page": Page(
        "<p>x<div><template shadowrootmode=open><base href=/b/><title>no</title><a href=1>a</a>"
        "<meta http-equiv=refresh content='0;url=/t'></template></div><a href=2>b</a>"
    ),
    "second shadow root": Page(
        "<div><template shadowrootmode=open><a href=1>a</a></template>"
        "<template shadowrootmode=open><a href=2>b</a></template></div>"
    ),
    "no shadow hosts": Page(
        "<b><template shadowrootmode=open><a href=1>a</a></template></b>"
        "<ul><template shadowrootmode=open><a href=2>b</a></template></ul>"
        "<font-face><template shadowrootmode=open><a href=3>c</a></template></font-face>"
        "<span><template shadowrootmode=on><a href=4>d</a></template></span>"
        "<table><template shadowrootmode=open><tr><td><a href=5>e</a></template></table>"
        "<p><template><a href=6>f</a></template><template shadowrootmode=open><a href=7>g</a>"
        "</template>"
    ),
    "empty elements": xml('<a href="x">t</a>', head="<head><title/><script/><style/></head>"),
    "CDATA": xml('<a href="x">a<![CDATA[<b>&amp;]]></a><!-- <a href="y"/> -->'),
    "prefixes": Page(
        '<h:html xmlns:h="http://www.w3.org/1999/xhtml"><h:head><h:title>p</h:title></h:head>'
        '<h:body><h:a href="x">t</h:a><a href="y">u</a><h:A href="z">v</h:A></h:body></h:html>',
        (("Content-Type", XHTML),),
    ),
    "no namespace": Page(
        "<html><head><title>n</title></head><body><a href='x'>t</a></body></html>",
        (("Content-Type", XHTML),),
    ),
    "links within links": xml('<a href="x">a<a href="y">b</a>c</a><p><p><a href="z"/></p></p>'),
    "case of attributes": xml('<a HREF="x">a</a><a href="y">b</a>'),
    "known entities": xml('<a href="x?a&eacute;">&nbsp;&eacute;&lt;&hellip;</a>', before=STRICT),
    "own entities": xml(
        '<a href="x">&foo;</a>&bar;',
        before="<!DOCTYPE html [<!ENTITY foo 'b&baz;'><!ENTITY baz 'z'>"
        "<!ENTITY bar '<a href=\"y\">c</a>'>]>",
    ),
    "xlink of another prefix": xml(
        '<svg xmlns="http://www.w3.org/2000/svg"><a x:href="x"><text>t</text></a>'
        '<title>drawing</title></svg>'
    ),
    "base of XML": xml('<a href="x">t</a>', head='<head><title>t</title><base href="/b/"/></head>'),
    "xml:base": xml('<div xml:base="/no/"><a href="x">t</a></div>'),
    "templates of XML": xml(
        '<div><template shadowrootmode="open"><a href="x">a</a></template></div>'
        '<template><a href="y">b</a></template><a href="z">c</a>'
    ),
    "blocks of XML": xml('<a href="x">a<br/>b<div>c</div>d<b>e</b>f</a>'),
}  # fmt: skip
"""Pages whose links are compared. A closed shadow root would be hidden from the test."""

# Of two with one delay, Chromium takes the second, the standard the first (test_extract_observe).
REFRESHES = {
    **{
        f"meta {content}": refresh(content)
        for content in (
            "0;url=/t", "0, URL=/t", "0 ;  url =  '/t' x", "0;/t", "0 /t", "0;'/t'x", "1.9;url=/t",
            ".5;url=/t", "00000000000;url=/t", "  0;url=/t", "0;url", "0;url=", "0;ur=/t", "0",
            "0;", "0x;url=/t", ";url=/t", "-1;url=/t", "a", "0;url=#f", "0;url=&quot;/t",
            "0;;url=/t", "0\n;\nurl=/t", "0;url=mailto:x", "0;url==/t",
        )
    },
    "first valid of two": Page("<meta http-equiv=refresh content=x>"
                               "<meta http-equiv=REFRESH content='0;url=/u'>"),
    "in the body": Page("<p>x</p><div><meta http-equiv=refresh content='0;url=/t'></div>"),
    "for those without scripts": Page(
        "<head><noscript><meta http-equiv=refresh content='0;url=/t'></noscript></head><body>"
        "<noscript><p><meta http-equiv=refresh content='0;url=/u'></noscript>"
    ),
    "in a template": Page("<template><meta http-equiv=refresh content='0;url=/t'></template>"),
    "relative to the base": Page("<base href=/b/><meta http-equiv=refresh content='0;url=t'>"),
    "field": refresh_field("0;url=/t"),
    "field, relative": refresh_field("0;url=t", "<base href=/b/>"),
    "field without URL": refresh_field("5"),
    "in XML": xml('<meta http-equiv="refresh" content="0;url=/t"/>'),
}  # fmt: skip

SCRIPT = """
const names = %s, found = {}, fold = text => text.split(/\\s+/).filter(Boolean).join(" ");
function links(root) {
  return [...root.children].flatMap(node => {
    const own = ["a", "area"].includes(node.localName) && node.href;
    if (node.localName == "template") return [];
    let here = [];
    if (own && node.href.baseVal !== undefined)
      here = [[new URL(node.href.baseVal, node.baseURI).href, fold(node.textContent)]];
    else if (own) here = [[node.href, fold(node.innerText)]];
    return [...here, ...(node.shadowRoot ? links(node.shadowRoot) : []), ...links(node)];
  });
}
for (const [number, name] of names.entries()) {
  const frame = document.createElement("iframe");
  frame.src = `/p/${number}`;
  frame.onload = () => {
    const page = frame.contentDocument;
    found[name] ??= {title: page.title, links: links(page)};
    found[name].at = frame.contentWindow.location.href;
    if (found[name].loaded) frame.remove();  // some load themselves again and again
    found[name].loaded = true;
  };
  document.body.append(frame);
}
setTimeout(() => { document.body.textContent = "FOUND" + JSON.stringify(found) + "END"; }, 5000);
"""


class Handler(http.server.BaseHTTPRequestHandler):
    pages: tuple[Page, ...] = ()
    names: tuple[str, ...] = ()

    def do_GET(self) -> None:
        page = Page("<!doctype html><title>other</title>")
        if self.path == "/":
            script = SCRIPT % json.dumps(self.names)
            page = Page(f"<!doctype html><body><script>{script}</script>")
        elif self.path.startswith("/p/") and self.path[3:].isdigit():
            page = self.pages[int(self.path[3:])]
        content = page.body.encode()
        self.send_response(200)
        for name, value in (*page.fields, ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


PAGES = LINKS | REFRESHES


@pytest.fixture(scope="module")
def shown(browser: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What Chromium shows of each page, and under ``origin`` where it found them."""
    Handler.names, Handler.pages = tuple(PAGES), tuple(PAGES.values())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    origin = f"http://127.0.0.1:{server.server_port}"
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--virtual-time-budget=8000",
        "--dump-dom",
        f"{origin}/",
    ]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    text = unescape(run.stdout.partition("FOUND")[2].partition("END")[0])
    yield {**json.loads(text), "origin": origin}


class Seen(NamedTuple):
    """What the extractor reads of a page."""

    visit: VisitRow
    links: list[tuple[str, str]]


def read(name: str, origin: str) -> Seen:
    page, book = PAGES[name], UrlBook(())
    capture = Capture(
        kind="response",
        uri=f"{origin}/p/{list(PAGES).index(name)}",
        time=0,
        offset=0,
        status=200,
        fields=tuple((field.lower(), value) for field, value in page.fields),
        body=page.body.encode(),
    )
    observation = Observer("", "inlinkbot", book, Counter()).observe(capture)
    assert observation is not None
    urls = {row.url_id: row.url for row in book.new}
    return Seen(
        observation.visit,
        [(urls[link.target_id], link.anchor) for link in observation.links if link.position >= 0],
    )


@pytest.mark.parametrize("name", LINKS)
def test_the_links_that_a_browser_shows(shown: dict[str, Any], name: str) -> None:
    seen, page = read(name, shown["origin"]), shown[name]
    urls = [(url.partition("#")[0], text) for url, text in page["links"]]
    assert seen.links == [link for link in urls if link[0].startswith("http")]
    assert seen.visit.title == page["title"]


@pytest.mark.parametrize("name", REFRESHES)
def test_where_a_browser_goes(shown: dict[str, Any], name: str) -> None:
    seen, at = read(name, shown["origin"]), shown[name]["at"].partition("#")[0]
    stays = at == f"{shown['origin']}/p/{list(PAGES).index(name)}"
    assert seen.visit.redirect_url == (None if stays else at)
    assert seen.visit.outcome == ("ok" if stays else "redirect")
