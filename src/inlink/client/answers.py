"""Answers that other servers of the API give in less strict a form than Inlink's own.

The structs of all other answers are those of `inlink.contract.answers`.
"""

from msgspec import Struct, field

from inlink.contract.answers import TaskStatus


class Task(Struct, frozen=True):
    """A task of download-all-backlinks; ``download_file`` is where its file is, if it has one."""

    task_status: TaskStatus
    task_id: str = ""
    download_file: str | None = None


class Subscription(Struct, frozen=True):
    """What the key may still ask.

    ``expiration_date`` is read from ``expiraton_date``: so the API spells it.
    """

    status: str
    start_date: str
    expiration_date: str = field(name="expiraton_date")
    units_limit: int
    units_left: int


class SubscriptionAnswer(Struct, frozen=True):
    """Answer of get-subscription-info."""

    subscription_info: Subscription
