"""The sender of channels of the kind EMAIL."""

import aiosmtplib

from delivery import mail
from delivery.parcel import Parcel
from delivery.sender import Rejected, Result, Retry, Sent
from delivery.smtp import Connections, UnreachableError
from resolvers import unsubscribe
from resolvers.unsubscribe import Link
from resolvers.vault import Vault

_ACCEPTED, _FOR_GOOD = 250, 500
# Wants (other) credentials, or encryption first (RFC 4954 6): the operator's to mend, so not for good.
_CREDENTIALS = {530, 534, 535, 538}


class EmailSender:
    """Sends parcels as mail. public_url: where `/unsubscribe` is reached; None: mails name no way out."""

    def __init__(self, connections: Connections, vault: Vault, public_url: str | None = None) -> None:
        self._connections = connections
        self._vault = vault
        self._public_url = public_url

    async def send(self, parcel: Parcel) -> Result:
        """Hand a mail to the server."""
        try:
            await self._connections.send(mail.build(parcel, self._unsubscribe_url(parcel)))
        except mail.UnaddressedError as error:
            return Rejected(str(error))
        except UnreachableError as error:
            return Retry(str(error), error.code)
        except aiosmtplib.SMTPResponseException as refusal:
            return _refused(refusal.code)
        except aiosmtplib.SMTPNotSupported:
            return Rejected("The mail server takes no addresses beyond ASCII.")
        except (aiosmtplib.SMTPException, OSError):
            return Retry("The connection to the mail server broke.")
        return Sent(_ACCEPTED)

    def close(self) -> None:
        """Leave the mail server."""
        self._connections.close()

    def _unsubscribe_url(self, parcel: Parcel) -> str | None:
        if self._public_url is None:
            return None
        link = Link(parcel.tenant_id, parcel.recipient.id, mail.category(parcel))
        return f"{self._public_url.rstrip('/')}/unsubscribe/{unsubscribe.token(self._vault, link)}"


def _refused(code: int) -> Result:
    if code in _CREDENTIALS:
        return Retry("The mail server refused our credentials.", code)
    if code >= _FOR_GOOD:
        return Rejected("The mail server refused the mail.", code)
    return Retry("The mail server does not take the mail now.", code if code > 0 else None)
