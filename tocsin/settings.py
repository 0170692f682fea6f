"""Every knob of the server, read once from the environment."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _servers(urls: SecretStr) -> SecretStr:
    if not all(map(_is_server, urls.get_secret_value().split(","))):
        raise ValueError("must be nats:// or tls:// URLs with commas between")
    return urls


def _is_server(url: str) -> bool:
    # What urlsplit says of a wrong port may be a piece of a password.
    with suppress(ValueError):
        parts = urlsplit(url)
        return parts.scheme in {"nats", "tls"} and bool(parts.hostname) and parts.port != 0
    return False


def _from_json(value: object) -> object:
    # pydantic-settings would decode it, too, but raise an error of its own that does not name the variable.
    return orjson.loads(value) if isinstance(value, str) else value


_DEV = "`tocsin dev` does unless this is set to false."


class Settings(BaseSettings):
    """Settings from `TOCSIN_*` environment variables; immutable once read."""

    model_config = SettingsConfigDict(
        env_prefix="TOCSIN_", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        Path(".tocsin"), description="Where the embedded Postgres and the keys that are not set live."
    )
    database_url: SecretStr | None = Field(
        None,
        description="Postgres 15 or later that the server uses. Unset: the embedded one in the data dir.",
    )
    owner_database_url: SecretStr | None = Field(
        None,
        description="The same database as the role that migrates. One of the two URLs alone stands for both.",
    )
    database_pool_size: int = Field(10, ge=1, le=1000, description="Connections per server process.")

    hub: Annotated[SecretStr, AfterValidator(_servers)] | None = Field(
        None,
        description="NATS for the hints between processes: nats://USER:PASSWORD@HOST:4222 or nats://TOKEN@HOST, "
        "percent-encoded; tls:// refuses a server without TLS; commas between several of a cluster. All servers "
        "and workers of a database need the same, for who uses NATS does not hear who does not; and no two "
        "databases may share an account of NATS. Unset: LISTEN on the database.",
    )

    jwt_algorithm: Literal["HS256", "RS256", "ES256"] = Field(
        "HS256", description="The one signature algorithm that tokens may use."
    )
    jwt_secret: SecretStr | None = Field(
        None, description="HS256 key, at least 32 bytes. Unset: made once and kept in the data dir."
    )
    jwt_public_key: str | None = Field(None, description="PEM public key for RS256 or ES256.")
    jwks_url: str | None = Field(None, description="JWKS address for RS256 or ES256, instead of a PEM key.")
    jwt_issuer: str = Field("tocsin", description="Required value of the iss claim.")
    jwt_audience: str = Field("tocsin", description="Required value of, or in, the aud claim.")
    jwt_tenant_claim: str = Field(
        "tenant", description="Claim that names the caller's tenant (a string) or tenants (a list)."
    )
    jwt_roles_claim: str = Field("roles", description="Claim that lists roles: user, admin, agent.")
    jwt_leeway_seconds: int = Field(0, ge=0, le=300, description="Clock skew allowed for exp, iat and nbf.")
    auth_cookie: str | None = Field(
        None, description="Name of a cookie that may carry the token. Unset: cookies are not read."
    )

    secret_keys: SecretStr | None = Field(
        None,
        description="Keys that encrypt the secrets of channels: a comma list of ID:BASE64 of 32 bytes. The "
        "first encrypts, all decrypt. Every server of a database needs the same. Unset: one key, made once "
        "and kept in the data dir.",
    )
    allow_private_webhooks: bool = Field(
        False,
        description="Let channels reach private addresses, of this machine and its network too, and use http:; "
        "only for development, or where you trust every admin of every tenant.",
    )

    smtp_url: SecretStr | None = Field(
        None,
        description="Mail server: smtp://USER:PASSWORD@HOST:587 uses STARTTLS when that is offered, smtps:// TLS "
        "from the start. Credentials are sent encrypted only, unless the host is this machine. Unset: no mail.",
    )
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s<>?#]+$",
        description="Where the server is reached from outside, for the List-Unsubscribe header of mails. Unset: "
        "no such header.",
    )
    apprise_services: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_from_json)] = Field(
        (),
        description="JSON list of the URL schemas that channels of the kind APPRISE may have, such as discord. "
        "Whoever makes channels can reach any host by a schema that takes one (json, xml, form, ntfy, mailto "
        "and many more), so list only those of one fixed service, or trust your admins.",
    )

    worker_concurrency: int = Field(
        96,
        ge=4,
        le=1000,
        description="Deliveries that a worker sends at once; one tenant has a third at most.",
    )
    send_timeout_seconds: float = Field(
        15, gt=0, le=300, description="How long one attempt to deliver may take in all."
    )
    lease_seconds: float = Field(
        60,
        gt=0,
        le=3600,
        description="How long a worker holds what it sends before another may take it over; at least 10 more than "
        "TOCSIN_SEND_TIMEOUT_SECONDS.",
    )
    delivery_days: int = Field(
        30, ge=1, le=3650, description="Days that the delivery log keeps what is over; what waits stays."
    )
    event_days: int = Field(
        7, ge=1, le=365, description="Days that events stay in the log; a subscription can resume as long."
    )
    audit_days: int = Field(365, ge=1, le=3650, description="Days that entries of the audit log stay.")
    cleanup_minutes: int = Field(
        60, ge=1, le=1440, description="Minutes between cleanups: what is too old leaves the database."
    )

    log_format: Literal["json", "text"] | None = Field(
        None, description="json or text. Unset: text on a terminal, else json, a line an object."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged."
    )

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65_535,
        description="Port for Prometheus's /metrics; each process takes the first free one from here on. Unset: "
        "none.",
    )
    metrics_host: str = Field("127.0.0.1", description="Address that /metrics listens on.")
    traces: bool = Field(
        False,
        description="Send OpenTelemetry traces to OTEL_EXPORTER_OTLP_ENDPOINT, by OTLP over HTTP; needs the extra "
        "`otel`.",
    )

    allowed_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_from_json)] = Field(
        (), description="JSON list of other origins whose pages may call the API from a browser."
    )
    introspection: bool = Field(
        False,
        description="Answer questions about the schema, and say in errors which name may have been meant. "
        f"{_DEV}",
    )
    allow_get: bool = Field(
        False, description=f"Answer queries, and streams, that are asked for with GET. {_DEV}"
    )
    graphiql: bool = Field(
        False, description=f"Serve GraphiQL to browsers at /graphql; it needs introspection. {_DEV}"
    )

    trusted_documents: Path | None = Field(
        None,
        description="JSON file {id: document}: only these operations run, by id, and they are compiled at start; "
        "see docs/how-to/trusted-documents.md. Unset: any operation runs.",
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest HTTP request body.")
    max_message_bytes: int = Field(262_144, ge=1024, description="Largest WebSocket message from a client.")
    max_tokens: int = Field(2_000, ge=10, description="Lexical tokens in a document.")
    max_depth: int = Field(16, ge=1, description="Nesting of fields in an operation, fragments expanded.")
    max_aliases: int = Field(30, ge=0, description="Aliased fields in an operation, fragments expanded.")
    max_fields: int = Field(500, ge=1, description="Fields in an operation, fragments expanded.")
    rate_limit: int = Field(
        30_000,
        ge=0,
        description="Points that each user or agent may spend in a minute, at all servers together; see "
        "docs/how-to/limits.md for what costs how many. 0: no limit.",
    )
    init_timeout_seconds: int = Field(10, ge=1, description="Time a WebSocket has to send connection_init.")
    idle_timeout_seconds: float = Field(
        60, gt=0, description="Time a WebSocket may stay open while no operation runs on it."
    )
    max_sockets_per_user: int = Field(
        20, ge=1, description="WebSockets and event streams that a user may have open at each server process."
    )
    max_operations_per_socket: int = Field(
        100, ge=1, description="Operations that may run on a WebSocket at a time."
    )
    drain_seconds: float = Field(
        0,
        ge=0,
        le=300,
        description="How long /readyz says 503 after SIGTERM before the server stops to listen and sends its "
        "clients away, so that load balancers see it first.",
    )


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{Settings.model_config['env_prefix']}{name}".upper()


def for_development(settings: Settings) -> Settings:
    """Return settings that let a developer look around, as far as the person did not set otherwise."""
    doors = {"introspection", "allow_get", "graphiql"} - settings.model_fields_set
    return settings.model_copy(update=dict.fromkeys(doors, True))


def table() -> str:
    """Return all settings as the Markdown table of the README."""
    rows = [
        f"| `{variable(name)}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    if field.default is None:
        return "unset"
    return "`" + orjson.dumps(field.default, default=str).decode().strip('"') + "`"


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
