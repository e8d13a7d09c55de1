"""The words that requests, answers and the index share: what may be asked, and how rows are put.

The names are those of the Backlinks API v1.0; those of evidence and live checks are ours.
"""

from typing import Literal, get_args

Mode = Literal["domain", "host", "url"]
"""A target: a domain with every name beneath it, exactly one host, or one URL."""

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
"""``head`` is what nobody sees: the head of the page, or the HTTP header before it."""

Result = Literal["there", "not_there", "not_checked"]
"""Of a live check: the link would be live by this visit; it would not; the page did not answer."""
