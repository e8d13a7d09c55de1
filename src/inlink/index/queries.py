"""The joins and orders behind the segments, in DuckDB's SQL.

In: views ``urls``, ``links``, ``pages``, ``ranks``, ``domain_ranks`` of a generation's tables, and
``place``: the partition of each registrable domain, and ``numbered``: the place of each URL in key
order. Out: ``address`` (every URL with its place) and ``live`` (live links from place to place);
then, for the partition that the variable ``partition`` names, what its files hold, in their order.

Windows are kept to narrow tables: DuckDB sorts and joins beyond its memory limit, but holds the
rows of a window in memory.
"""

from inlink.index.segments import ELEMENT_SHIFT, ELEMENTS, IMAGE, NOFOLLOW, REDIRECT

PLACE = "create table place (domain_id bigint, icann varchar, partition integer)"

DOMAINS = "select distinct domain_id, domain from urls"

NUMBERED = "create table numbered (position bigint, url_id bigint)"

IN_KEY_ORDER = "select url_id from urls order by sort_key"

ADDRESS = """
create table address as
select
    position, urls.url_id, sort_key, host, urls.domain_id, partition,
    coalesce(inlink_rank, -1)::tinyint as inlink_rank,
    coalesce(domain_inlink_rank, -1)::tinyint as domain_inlink_rank,
    inlink_rank is not null or target_id is not null as served
from urls
join numbered using (url_id)
join place using (domain_id)
left join ranks using (url_id)
left join domain_ranks using (domain_id)
left join (select distinct target_id from links) on target_id = urls.url_id
order by partition
"""
# A URL that has neither rank nor links, now or in the past, is answered like an unknown one.

LIVE = f"""
create table live as
select
    target.partition, target.position as target, source.position as source,
    links.nofollow::utinyint * {NOFOLLOW} + links.image::utinyint * {IMAGE}
        + (link_type = 'redirect')::utinyint * {REDIRECT}
        + ((list_position({list(ELEMENTS)}, element) - 1) << {ELEMENT_SHIFT}) as flags,
    anchor, image_source, make_timestamp(epoch_us(first_seen))::date as first_seen
from links
join address as target on target.url_id = target_id
join address as source on source.url_id = source_id
where lost_at is null
order by target.partition
"""  # noqa: S608

LINKED = "create view linked as select * from live where partition = getvariable('partition')"

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
    host, inlink_rank, domain_inlink_rank
from (select distinct source as position from linked)
join address using (position)
left join pages using (url_id)
"""

HOST = """
create or replace temp table host as
select row_number() over (order by host) - 1 as row, host, domain_inlink_rank
from (select distinct host, domain_inlink_rank from page)
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

PARTITION_TABLES = (PAGE, HOST, ANCHOR, IMAGE_SOURCE)

TARGET_COLUMNS = "select position, inlink_rank from target order by position"

IPS = "select distinct ip from page where ip is not null"

PAGE_COLUMNS = """
select
    position, last_visited,
    coalesce(ips.ip_id, -1)::integer as ip, coalesce(ips.subnet_id, -1)::integer as subnet
from page left join ips using (ip)
order by position
"""

HOST_COLUMNS = "select host, domain_inlink_rank from host order by row"

DOMAIN_COLUMNS = """
select domain_id, domain_inlink_rank
from domain_ranks join place using (domain_id)
where partition = getvariable('partition')
order by domain_id
"""

LINK_COLUMNS = f"""
select
    target, source, anchor.row::integer as anchor,
    coalesce(image_source.row, -1)::integer as image_source, flags::utinyint as flags, first_seen,
    page.inlink_rank, page.domain_inlink_rank, host.row::integer as host
from linked
join page on page.position = source
join host using (host)
join anchor using (anchor)
left join image_source using (image_source)
order by target, source, flags & {REDIRECT}
"""  # noqa: S608

LARGE_DOMAINS = """
select host, any_value(icann) as icann, count(*) as links
from linked
join address on address.position = linked.target
join place using (domain_id)
group by host
qualify sum(count(*)) over (partition by any_value(icann)) > getvariable('summary_links')
"""
