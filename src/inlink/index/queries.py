"""The joins and orders behind the segments, in DuckDB's SQL.

In: views of a generation's tables under their names; ``place``, the partition of each registrable
domain; and ``numbered``, the place of each URL in key order. Out: ``address`` (every URL with its
place), ``stretch`` (the links, live and lost, from place to place) and ``past_rank``; then, for the
partition that the variable ``partition`` names, the contents of its files, in their order.

Windows are used only on narrow tables: DuckDB sorts and joins beyond its memory limit, but holds
the rows of a window in memory.
"""

from inlink.contract.rows import UNKNOWN_RANK
from inlink.index.segments import (
    ELEMENT_SHIFT,
    ELEMENTS,
    HOME,
    IMAGE,
    NOFOLLOW,
    REASONS,
    REDIRECT,
)


def _day(date: str) -> str:
    """A day as a number since 1970, of 16 bits: from 1880 to 2059, which includes every crawl."""
    return f"least(greatest({date} - date '1970-01-01', -32768), 32767)::smallint"


RANK_DAYS = "select day from rank_days order by day"

PLACE = """
create table place (domain_id bigint, domain varchar, icann varchar, partition integer)
"""

DOMAINS = "select distinct domain_id, domain from urls"

NUMBERED = "create table numbered (position bigint, url_id bigint)"

IN_KEY_ORDER = "select url_id from urls order by sort_key"

ADDRESS = f"""
create table address as
select
    position, urls.url_id, sort_key, host, urls.domain_id, partition,
    substr(sort_key, instr(sort_key, '/'), 2) = '/ ' as home,
    coalesce(inlink_rank, {UNKNOWN_RANK})::tinyint as inlink_rank,
    coalesce(domain_inlink_rank, {UNKNOWN_RANK})::tinyint as domain_inlink_rank,
    inlink_rank is not null or known.url_id is not null as served
from urls
join numbered using (url_id)
join place using (domain_id)
left join ranks using (url_id)
left join domain_ranks using (domain_id)
left join (
    select target_id as url_id from links
    union select url_id from past_ranks
    union select url_id from places
) as known using (url_id)
order by partition
"""
# A URL that never had a rank, links or content is answered like an unknown one.
# The path of a home page is only "/", so a space follows the "/" in the sort key.

STRETCH = f"""
create table stretch as
select
    target.partition, target.position as target, source.position as source,
    links.nofollow::utinyint * {NOFOLLOW} + links.image::utinyint * {IMAGE}
        + (link_type = 'redirect')::utinyint * {REDIRECT}
        + ((list_position({list(ELEMENTS)}, element) - 1) << {ELEMENT_SHIFT}) as flags,
    anchor, image_source, make_timestamp(epoch_us(first_seen))::date as first_seen,
    epoch_us(found_at) as found_at, epoch_us(lost_at) as lost_at,
    (list_position({list(REASONS)}, reason_lost) - 1)::utinyint as reason
from links
join address as target on target.url_id = target_id
join address as source on source.url_id = source_id
order by target.partition
"""

PAST_RANK = """
create table past_rank as
select partition, position, until, past_ranks.inlink_rank::tinyint as inlink_rank
from past_ranks join address using (url_id)
order by partition
"""

LINKED = "create view linked as select * from stretch where partition = getvariable('partition')"

TARGET = """
create view target as
select position, sort_key, inlink_rank
from address
where served and partition = getvariable('partition')
"""

PAGE = """
create or replace temp table page as
select
    position, sort_key, title, make_timestamp(epoch_us(visited_at))::date as last_visited, ip,
    host, address.domain_id, home, inlink_rank, domain_inlink_rank
from (select distinct source as position from linked)
join address using (position)
left join pages using (url_id)
"""

HOST = """
create or replace temp table host as
select row_number() over (order by host) - 1 as row, host, domain_id, domain_inlink_rank
from (select distinct host, domain_id, domain_inlink_rank from page)
"""

DOMAIN_NAME = """
create or replace temp table domain_name as
select row_number() over (order by domain) - 1 as row, domain, domain_id
from (select distinct domain_id from host) join place using (domain_id)
"""

ANCHOR = """
create or replace temp table anchor as
select row_number() over (order by anchor) - 1 as row, anchor
from (select distinct anchor from linked)
"""

IMAGE_SOURCE = """
create or replace temp table image_source as
select row_number() over (order by image_source) - 1 as row, image_source
from (select distinct image_source from linked where image_source is not null)
"""

DOMAIN = f"""
create or replace temp table domain as
select
    row_number() over (order by domain_id) - 1 as row, domain_id,
    domain_inlink_rank::tinyint as domain_inlink_rank
from (
    select domain_id, domain_inlink_rank from domain_ranks
    union all
    select distinct domain_id, {UNKNOWN_RANK}
    from past_domain_ranks anti join domain_ranks using (domain_id)
)
join place using (domain_id)
where partition = getvariable('partition')
"""

PLACED = """
create or replace temp table placed as
select position, is_content, nth, batch, places.row
from places join address using (url_id)
where partition = getvariable('partition')
"""

BATCH_NAME = """
create or replace temp table batch_name as
select row_number() over (order by batch) - 1 as row, batch
from (select distinct batch from placed)
"""

PARTITION_TABLES = (
    *(PAGE, HOST, DOMAIN_NAME, ANCHOR, IMAGE_SOURCE, DOMAIN),
    *(PLACED, BATCH_NAME),
)

TARGET_COLUMNS = "select position, inlink_rank from target order by position"

IPS = "select distinct ip from page where ip is not null"

PAGE_COLUMNS = f"""
select
    position, host.row::integer as host, {_day("last_visited")} as last_visited,
    coalesce(ips.ip_id, -1)::integer as ip, coalesce(ips.subnet_id, -1)::integer as subnet
from page join host using (host) left join ips using (ip)
order by position
"""

HOST_COLUMNS = """
select host, domain_inlink_rank, domain_name.row::integer as domain
from host join domain_name using (domain_id)
order by host.row
"""

DOMAIN_COLUMNS = "select domain_id, domain_inlink_rank from domain order by row"

PAST_RANK_COLUMNS = """
select position, until, inlink_rank
from past_rank
where partition = getvariable('partition')
order by position, until
"""

PAST_DOMAIN_RANK_COLUMNS = """
select
    row::integer as domain, until,
    past_domain_ranks.domain_inlink_rank::tinyint as domain_inlink_rank
from past_domain_ranks join domain using (domain_id)
order by row, until
"""

PLACE_COLUMNS = """
select
    position, is_content::utinyint as is_content, batch_name.row::integer as batch, placed.row
from placed join batch_name using (batch)
order by position, is_content desc, nth
"""

_OF_LINK = f"""
    target, source, anchor.row::integer as anchor,
    coalesce(image_source.row, -1)::integer as image_source,
    (flags + home::utinyint * {HOME})::utinyint as flags, {_day("first_seen")} as first_seen,
    {_day("make_timestamp(found_at)::date")} as found,
    page.inlink_rank, page.domain_inlink_rank
"""

_JOINED = """
from linked
join page on page.position = source
join anchor using (anchor)
left join image_source using (image_source)
"""

LINK_COLUMNS = f"""
select {_OF_LINK}
{_JOINED}
where lost_at is null
order by target, source, flags & {REDIRECT}
"""

LOST_COLUMNS = f"""
select {_OF_LINK}, {_day("make_timestamp(lost_at)::date")} as lost, reason
{_JOINED}
where lost_at is not null
order by target, source, flags & {REDIRECT}, found_at, lost_at
"""

LARGE_DOMAINS = """
select host, any_value(icann) as icann, count(*) as links
from linked
join address on address.position = linked.target
join place using (domain_id)
where lost_at is null
group by host
qualify sum(count(*)) over (partition by any_value(icann)) > getvariable('summary_links')
"""
