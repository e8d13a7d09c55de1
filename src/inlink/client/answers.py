"""Answers that other servers of the API give in a less strict form than Inlink does.

The structs of all other answers are those of `inlink.contract.answers`.
"""

from msgspec import Struct, field

from inlink.contract.answers import TaskStatus


class Task(Struct, frozen=True):
    """A task of download-all-backlinks; ``download_file`` is the URL of its file, if it has one."""

    task_status: TaskStatus
    task_id: str = ""
    download_file: str | None = None


class Subscription(Struct, frozen=True):
    """What the key may still request.

    ``expiration_date`` is read from ``expiraton_date``, as the API spells it.
    """

    status: str
    start_date: str
    expiration_date: str = field(name="expiraton_date")
    units_limit: int
    units_left: int


class SubscriptionAnswer(Struct, frozen=True):
    """Answer of get-subscription-info."""

    subscription_info: Subscription
