"""The enums that the API shares with the database, for the schema, which does not know the database."""

from db.types import ChannelKind, DeliveryStatus, Filter, Inclusion, ReadState, Severity, TemplateKind

__all__ = ["ChannelKind", "DeliveryStatus", "Filter", "Inclusion", "ReadState", "Severity", "TemplateKind"]
