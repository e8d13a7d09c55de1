"""The words that requests, answers and the index share: what may be asked, how rows are ordered.

The names are those of the Backlinks API v1.0; those of evidence and live checks are Inlink's own.
"""

from typing import Literal, get_args

Mode = Literal["domain", "host", "url"]
"""What a target covers: a domain with all its subdomains, exactly one host, or one URL."""

BacklinkOrder = Literal["date_found", "domain_inlink_rank", "inlink_rank"]
BACKLINK_ORDERS: tuple[BacklinkOrder, ...] = get_args(BacklinkOrder)
NewLostOrder = Literal["new_lost_date", "domain_inlink_rank", "inlink_rank"]
NewLostDomainOrder = Literal["new_lost_date", "domain_inlink_rank"]
CountOrder = Literal["backlinks", "refdomains"]

NewLostType = Literal["new", "lost"]
LinkType = Literal["href", "redirect"]
AnchorType = Literal["text", "image", "undefined"]
Follow = Literal["dofollow", "nofollow", "undefined"]

PagePart = Literal["content", "navigation", "header", "footer", "aside", "head"]
"""``head`` is not visible: the head of the page, or the HTTP header before it."""

Result = Literal["there", "not_there", "not_checked"]
"""Of a live check: this visit would make the link live; it would not; the page did not answer."""
