"""Webhooks: signed POSTs as Standard Webhooks 1.0 wants them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import orjson

from delivery import signature
from delivery.http import HttpClient, HttpError, Response
from delivery.parcel import Parcel
from delivery.sender import Rejected, Result, Retry, Sent


class WebhookSender:
    """Sends parcels of the kind WEBHOOK: config has url and secret. A digest goes as its first message only."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def send(self, parcel: Parcel) -> Result:
        """Post the message once. 2xx is Sent; 410, or a URL that is not allowed, Rejected; the rest Retry."""
        body = orjson.dumps(payload(parcel))
        secrets = [parcel.config["secret"], *parcel.previous_secrets]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Tocsin",
            **signature.headers(str(parcel.id), int(time.time()), body, secrets),
        }
        try:
            return _result(await self._client.post(parcel.config["url"], headers, body))
        except HttpError as error:
            return Rejected(error.error) if error.final else Retry(error.error)


def payload(parcel: Parcel) -> dict[str, Any]:
    """Return the body: type and timestamp of the event, and data; ids are strings, absent values null."""
    message = parcel.message
    return {
        "type": message.type,
        "timestamp": _rfc_3339(message.created_at),
        "data": {
            "id": str(parcel.id),
            "notificationId": None if message.notification_id is None else str(message.notification_id),
            "tenantId": parcel.tenant_id,
            "userId": parcel.recipient.id,
            "category": message.category,
            "severity": message.severity,
            "title": message.title,
            "body": message.body,
            "url": message.url,
            "actions": [dict(action) for action in message.actions],
            "targets": list(message.targets),
            "data": None if message.data is None else dict(message.data),
        },
    }


def _rfc_3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _result(response: Response) -> Result:
    status = response.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Sent(status)
    error = f"The receiver answered {_named(status)}."
    if status == HTTPStatus.GONE:
        return Rejected(error, status, gone=True)
    return Retry(error, status, response.retry_after)


def _named(status: int) -> str:
    """Return a status with the phrase that the standards have for it, never the one that was received."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
