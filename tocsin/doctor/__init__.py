"""`tocsin doctor`: looks at everything that a server or worker needs, and says what to do."""

from collections.abc import AsyncIterator

from tocsin.doctor.database import findings as database_findings
from tocsin.doctor.finding import Finding, Level, judged
from tocsin.doctor.services import hub_finding, keys_finding, mail_finding, settings_findings
from tocsin.doctor.unset import database_finding, with_keys
from tocsin.settings import Settings

__all__ = ["Finding", "Level", "database_finding", "findings"]


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is found, as it is found, in a deployment with these whole settings; nothing is changed."""
    usable = is_reachable = True
    async for found in settings_findings(settings):
        usable &= found.level is not Level.PROBLEM
        yield found
    if not usable:
        yield Finding("the rest", Level.SKIPPED, "The settings come first.")
        return
    async for found in database_findings(with_keys(settings)):
        is_reachable &= (found.check, found.level) != ("database", Level.PROBLEM)
        yield found
    if settings.hub or is_reachable:
        yield await judged("hub", hub_finding(settings))
    yield await judged("mail", mail_finding(settings))
    yield await judged("tokens", keys_finding(settings))
