"""The commands about a key: its exports, and what it may still ask.

In: a call. Out: the answer of its command.
"""

from msgspec import UNSET

from inlink.api.call import AccountCall, Call
from inlink.contract.answers import Subscription, SubscriptionAnswer, TaskAnswer, TaskStatus
from inlink.contract.errors import ApiError
from inlink.contract.paths import EXPORT_PREFIX
from inlink.contract.requests import ExportRequest, ExportStatusRequest, SubscriptionRequest
from inlink.exports.queue import COMPLETE, QUEUED, BalanceError, BusyError

UNLIMITED = 2**31 - 1
"""Units of a key that is not limited: the greatest number that every client can read."""

NEVER = "9999-12-31"

STATUSES: dict[str, TaskStatus] = {QUEUED: "queued_for_processing", COMPLETE: "complete"}
"""How a task is told; any other is being processed."""


def download_all_backlinks(call: Call[ExportRequest]) -> TaskAnswer:
    """Queue an export; if the key has a task already, reject it and name that task."""
    backlinks = call.reader.metrics(call.target).backlinks
    units = backlinks * call.price
    try:
        task = call.resources.exports.submit(call.key.id, call.texts[0], call.request.mode, units)
    except BusyError as error:
        return TaskAnswer("rejected", error.task.id)
    except BalanceError:
        raise ApiError(
            402, f"This export of {backlinks:,} rows costs {units:,} units, more than are left."
        ) from None
    return TaskAnswer("queued_for_processing", task.id)


def download_all_backlinks_status(call: AccountCall[ExportStatusRequest]) -> TaskAnswer:
    """How far an export of this key is."""
    task = call.resources.exports.find(call.key.id, call.request.task_id)
    if task is None:
        return TaskAnswer("task id is unknown or deleted", call.request.task_id)
    file = UNSET if task.file is None else f"{call.base_url}{EXPORT_PREFIX}/{task.file}"
    return TaskAnswer(STATUSES.get(task.status, "processing"), task.id, file)


def get_subscription_info(call: AccountCall[SubscriptionRequest]) -> SubscriptionAnswer:
    """The dates and units of the key. Keys that are not active are refused before."""
    key = call.key
    left = call.resources.keys.units_left(key.id)
    expires = f"{key.expires_on or NEVER} 23:59:59"
    return SubscriptionAnswer(
        Subscription(
            status="active",
            start_date=key.created_at.replace("T", " ").removesuffix("Z"),
            expiraton_date=expires,
            expiration_date=expires,
            units_limit=UNLIMITED if key.units_limit is None else key.units_limit,
            units_left=UNLIMITED if left is None else left,
        )
    )
