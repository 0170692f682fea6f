"""What producers call: `notify`, again and again until it is answered, and done once.

    from tocsin.client import Client

    with Client("https://tocsin.example/graphql", token) as tocsin:
        tocsin.notify(["ada"], type="invoice.due", title="Invoice 17 is due", idempotency_key="invoice-17-due")

Needs the extra `client` (httpx) and nothing of the server: docs/how-to/producers.md.
"""

from tocsin.client.core import Content, Notified, Patience, Recipient, TocsinError
from tocsin.client.http import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "Content", "Notified", "Patience", "Recipient", "TocsinError"]
