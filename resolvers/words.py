"""The enums that the API shares with the database, for the schema, which does not know the database."""

from db.types import (
    ChannelKind,
    DeliveryStatus,
    Digest,
    Filter,
    Inclusion,
    ReadState,
    RequestStatus,
    Severity,
    TemplateKind,
)

__all__ = [
    "ChannelKind",
    "DeliveryStatus",
    "Digest",
    "Filter",
    "Inclusion",
    "ReadState",
    "RequestStatus",
    "Severity",
    "TemplateKind",
]
