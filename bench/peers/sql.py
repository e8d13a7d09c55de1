"""What the peers are asked, in SQL that all of them take; the one place for it.

Values are named, ``:domain``, and each database writes them as its driver has it. Numbers of rows
stand in the text, so that a plan made once for any value knows them.

``where`` selects the target: by the one column of its mode, for which the row stores have indexes,
or in the column stores by the beginning of what they are sorted by.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec.structs import fields

from inlink.contract.rows import Backlink, NewLostBacklink, Refdomain
from inlink.contract.vocabulary import Mode

Order = Literal["date_found", "domain_inlink_rank", "inlink_rank"]

MODES: Mapping[Mode, str] = {"domain": "domain_id", "host": "host_id", "url": "url_id"}
"""The column that has the target of each mode, widest first."""

LARGE = 1000
"""Targets of more live links have their counts, referring hosts and events in tables."""

OPEN = "date '2100-01-01'"
"""The day on which what is live ends."""

COLUMNS: Mapping[Order, str] = {
    "date_found": "first_seen",
    "domain_inlink_rank": "domain_inlink_rank",
    "inlink_rank": "inlink_rank",
}

_BACKLINK_NAMES = ", ".join(Backlink.__struct_fields__)
_BACKLINK = _BACKLINK_NAMES.replace("alt", "null as alt")
_REFDOMAIN = ", ".join(Refdomain.__struct_fields__)
_EVENT = f"day as new_lost_date, kind as new_lost_type, {_REFDOMAIN}"
_NEW_LOST_NAMES = ", ".join(field.name for field in fields(NewLostBacklink))
_NEW_LOST = """
url_from, url_to, title, anchor, '' as alt, link_type, nofollow, image,
coalesce(image_source, '') as image_source, {reason} as reason_lost, inlink_rank,
domain_inlink_rank, first_seen
"""

METRICS = """
select
    {key} count(*) as backlinks, count(distinct refdomain) as refdomains,
    count(distinct subnet) as subnets, count(distinct ip) as ips,
    count(case when nofollow then 1 end) as nofollow_backlinks,
    count(case when not nofollow then 1 end) as dofollow_backlinks,
    count(case when edu then 1 end) as edu_backlinks,
    count(case when gov then 1 end) as gov_backlinks
from links
where {where} and lost is null
{group}
"""

REFDOMAINS = """
select
    {key} refdomain, count(*) as backlinks,
    count(case when not nofollow then 1 end) as dofollow_backlinks,
    min(first_seen) as first_seen, max(domain_inlink_rank) as domain_inlink_rank
from links
where {where} and lost is null
group by {key} refdomain
"""

EVENTS = """
with stretches as (
    select
        {key} id, refdomain, url_from, url_to, link_type, nofollow, first_seen, found, lost,
        domain_inlink_rank, coalesce(lost, {open}) as ended
    from links
    where {where}
), reached as (
    select
        *, row_number() over (partition by {key} refdomain order by found, id) as place,
        max(ended) over (
            partition by {key} refdomain order by found, id
            rows between unbounded preceding and 1 preceding
        ) as reach
    from stretches
), numbered as (
    select
        *, sum(case when place > 1 and found <= reach then 0 else 1 end) over (
            partition by {key} refdomain order by found, id
            rows between unbounded preceding and current row
        ) as island
    from reached
), ranked as (
    select
        *, row_number() over (
            partition by {key} refdomain, island, url_from, url_to, link_type
            order by ended desc, found desc
        ) as nth,
        min(found) over (partition by {key} refdomain, island) as since,
        max(ended) over (partition by {key} refdomain, island) as until
    from numbered
), islands as (
    select
        {key} refdomain, since, until, count(*) as backlinks,
        count(case when not nofollow then 1 end) as dofollow_backlinks,
        min(first_seen) as first_seen, max(domain_inlink_rank) as domain_inlink_rank
    from ranked
    where (until = {open} and lost is null) or (until <> {open} and nth = 1)
    group by {key} refdomain, island, since, until
)
select
    {key} since as day, 'new' as kind, refdomain, backlinks, dofollow_backlinks, first_seen,
    domain_inlink_rank
from islands
union all
select
    {key} until as day, 'lost' as kind, refdomain, backlinks, dofollow_backlinks, first_seen,
    domain_inlink_rank
from islands
where until <> {open}
"""
"""The stretches of a host's links, joined where they share a day; see docs/segments.md."""

RANKS = "select inlink_rank, domain_inlink_rank from ranks where url_id = :url"

LARGE_TARGETS = "select mode, key from metrics"


def kept(table: str, mode: Mode) -> str:
    """The rows of a large target in one of the tables about those."""
    return f"{table} where mode = {list(MODES).index(mode)} and key = :{mode}"


def metrics(where: str) -> str:
    """Count the live links."""
    return METRICS.format(key="", where=where, group="")


def kept_metrics(mode: Mode) -> str:
    """The same of a large target."""
    return (
        "select backlinks, refdomains, subnets, ips, nofollow_backlinks, dofollow_backlinks,"
        f" edu_backlinks, gov_backlinks from {kept('metrics', mode)}"
    )


def backlinks(where: str, order: Order, limit: int) -> str:
    """The first live links."""
    return f"""
        select {_BACKLINK} from links where {where} and lost is null
        order by {COLUMNS[order]} desc limit {limit}
    """


def first_per_host(where: str, order: Order, limit: int, per_host: int, look: int) -> str:
    """The first live links, a few of each host, among the first *look*; then how many those are."""
    column = COLUMNS[order]
    return f"""
        select {_BACKLINK_NAMES}, looked from (
            select *, count(*) over () as looked,
                row_number() over (partition by refdomain order by {column} desc) as nth
            from (
                select {_BACKLINK}, refdomain from links where {where} and lost is null
                order by {column} desc limit {look}
            ) as nearest
        ) as numbered
        where nth <= {per_host} order by {column} desc limit {limit}
    """


def all_per_host(where: str, order: Order, limit: int, per_host: int) -> str:
    """The first live links, a few of each host, among all: narrow columns first."""
    column = COLUMNS[order]
    return f"""
        select {_BACKLINK} from links where {where} and id in (
            select id from (
                select id, {column} as ordered,
                    row_number() over (partition by refdomain order by {column} desc) as nth
                from links where {where} and lost is null
            ) as numbered
            where nth <= {per_host} order by ordered desc limit {limit}
        ) order by {column} desc
    """


def refdomains(source: str, order: Order, limit: int) -> str:
    """The first referring hosts of *source*."""
    return f"select {_REFDOMAIN} from {source} order by {COLUMNS[order]} desc limit {limit}"


def counted_refdomains(where: str) -> str:
    """The referring hosts of the live links, as a source."""
    return f"({REFDOMAINS.format(key='', where=where)}) as hosts"


def counted_events(where: str, open_day: str) -> str:
    """When hosts came and went, as a source."""
    return f"({EVENTS.format(key='', where=where, open=open_day)}) as events where 1 = 1"


def new_lost_refdomains(source: str, limit: int) -> str:
    """The last events of *source*."""
    return f"""
        select {_EVENT} from {source} and day between :first and :last
        order by day desc limit {limit}
    """


def new_lost_refdomains_count(source: str) -> str:
    """How many events *source* has on each day."""
    return f"""
        select day, kind, count(*) as events from {source} and day between :first and :last
        group by day, kind
    """


def new_lost_backlinks(where: str, limit: int) -> str:
    """The last links that were found or lost."""
    found, lost = (
        f"""
        select * from (
            select {day} as new_lost_date, '{kind}' as new_lost_type,
                {_NEW_LOST.format(reason=reason)}
            from links where {where} and {day} between :first and :last
            order by {day} desc limit {limit}
        ) as {day}_links
        """
        for day, kind, reason in (("found", "new", "''"), ("lost", "lost", "reason_lost"))
    )
    return f"""
        select {_NEW_LOST_NAMES} from ({found} union all {lost}) as events
        order by new_lost_date desc limit {limit}
    """


def new_lost_backlinks_count(where: str) -> str:
    """How many links were found, and lost, on each day."""
    found, lost = (
        f"""
        select {day} as day, '{kind}' as kind, count(*) as events from links
        where {where} and {day} between :first and :last group by {day}
        """
        for day, kind in (("found", "new"), ("lost", "lost"))
    )
    return f"{found} union all {lost}"


def live(where: str, order: str) -> str:
    """All live links."""
    return f"select {_BACKLINK} from links where {where} and lost is null {order}"


def page(where: str, order: str, limit: int) -> str:
    """A page of the live links, with their ``id`` before them."""
    return f"""
        select id, {_BACKLINK} from links where {where} and lost is null and id > :after
        {order} limit {limit}
    """
