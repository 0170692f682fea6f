"""The enums of the contract: plain Python enums, described for the API."""

import strawberry

from resolvers.errors import ErrorCode
from resolvers.layers import PreferenceLayer
from resolvers.routing import Outcome
from resolvers.text import TextFormat
from resolvers.words import (
    ChannelKind,
    DeliveryStatus,
    Digest,
    Inclusion,
    ReadState,
    RequestStatus,
    Severity,
    TemplateKind,
)

_DESCRIPTIONS = {
    ReadState: "Which rows, by whether they were read.",
    Inclusion: "Whether rows of a kind are left out, let in beside the others, or wanted alone.",
    Severity: "How much a notification matters. CRITICAL passes quiet hours.",
    TextFormat: "MARKDOWN as it was written, PLAINTEXT without markup, or sanitised HTML.",
    ChannelKind: "How a notification can reach somebody.",
    TemplateKind: "SYSTEM: shipped and read-only. CUSTOM: the tenant's own.",
    DeliveryStatus: "Where a delivery stands. PENDING: it is tried as soon as may be, or again at nextAttemptAt. "
    "DEFERRED: it waits for quiet hours to end, a digest, an escalation or the end of a pause. SENDING: it is on "
    "its way. The others are final.",
    Digest: "Whether mail waits for more. HOURLY: till the next full hour. DAILY: till a time of day.",
    RequestStatus: "ACCEPTED: stored. FANNING_OUT: the worker is on it. DONE: everybody has had it.",
    Outcome: "SEND: now. DEFER: later, or until the tenant is no longer paused. SKIP: not at all.",
    PreferenceLayer: "First match wins, in this order.",
    ErrorCode: "In errors[].extensions.code; BAD_USER_INPUT lists extensions.fields: [{field, detail}]. "
    "More may come: keep a default branch.",
}

for _enum, _description in _DESCRIPTIONS.items():
    strawberry.enum(_enum, description=_description)
