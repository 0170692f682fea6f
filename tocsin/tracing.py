"""Whether this process traces; OpenTelemetry is imported only then."""

from typing import TYPE_CHECKING

from tocsin.auth import ConfigurationError
from tocsin.settings import Settings, variable

if TYPE_CHECKING:
    from tocsin.traces import Traces


def tracing(settings: Settings) -> "Traces | None":
    """Return what traces, if the settings want it; ConfigurationError if its packages are not there."""
    if not settings.traces:
        return None
    try:
        from tocsin.traces import Traces  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError(f"{variable('traces')}: install tocsin with the extra `otel`.") from None
    return Traces()
