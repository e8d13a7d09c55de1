"""A typed client of the Backlinks API v1.0, for this server and any other.

    from inlink.client import Client

    with Client("http://127.0.0.1:8080", "KEY") as client:
        print(client.metrics("example.com").result().backlinks)
        for link in client.raw_backlinks("example.com", mode="domain"):
            print(link.url_from, link.first_seen)

`Client` has a method for each command (``client``). Each method returns a `Reply` or `Rows`
(``lazy``), which send the request when you use them: in plain code, or with ``await`` and
``async for``. The rest is written once for both, over one of the two wires of ``wire``: ``server``
sends and retries, ``decode`` reads answers, ``export`` and ``csv_gz`` read exports. All failures
are `ClientError`s.
"""

from inlink.client.answers import Subscription, Task
from inlink.client.client import Client
from inlink.client.errors import ClientError, ExportError, HugeTargetError
from inlink.client.lazy import Reply, Rows

__all__ = [
    "Client",
    "ClientError",
    "ExportError",
    "HugeTargetError",
    "Reply",
    "Rows",
    "Subscription",
    "Task",
]
