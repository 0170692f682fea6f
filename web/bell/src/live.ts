// What comes by itself, over one WebSocket that comes back by itself. See docs/how-to/live.md and docs/connections.md.
import { type Client, createClient } from "graphql-ws";
import type { TypedDocumentString } from "./generated.js";
import type { Session } from "./session.js";

/** expired: a new token is needed. refused: access was taken away. */
export type Connection = "connecting" | "live" | "expired" | "refused";

type Refusal = { message: string; extensions?: { code?: string; retryAfter?: number } };
type Following = {
  /** Read anew each time it is sent, so that a subscription goes on from the last cursor. */
  variables: () => object;
  next: (data: never) => void;
  /** The cursor is of no use here: the inbox has to be read again. */
  lost: () => void;
};

const PING_MS = 20_000;
const PONG_MS = 10_000;
const PATIENCE_MS = 30_000;

export class Live {
  private readonly client: Client;
  private retryAfterMs = 0;
  /** New tokens that were refused in a row. */
  private refusals = 0;
  private sent: string | undefined;
  private watchdog: number | undefined;
  private stopped: (() => void) | undefined;
  private restart: (() => void) | undefined;
  private readonly hangUp = (): void => this.client.terminate();

  constructor(
    private readonly session: Session,
    private readonly onConnection: (state: Connection) => void,
  ) {
    this.client = createClient({
      url: session.endpoint.replace(/^http/, "ws"),
      connectionParams: () => this.hello(),
      keepAlive: PING_MS,
      lazyCloseTimeout: 1000, // one subscription follows another on the same socket
      retryAttempts: Infinity,
      shouldRetry: (event) => (event as CloseEvent).code !== 4403,
      retryWait: (retries) => this.wait(retries),
      on: {
        connected: () => {
          this.refusals = 0;
          onConnection("live");
        },
        closed: (event) => this.closed(event as CloseEvent),
        ping: (received) => {
          if (!received) this.watchdog = window.setTimeout(this.hangUp, PONG_MS);
        },
        pong: (received) => {
          if (received) clearTimeout(this.watchdog);
        },
      },
    });
    window.addEventListener("offline", this.hangUp);
  }

  /** Follows one subscription, in place of the one before; see Following for what is asked of the caller. */
  follow<Data, Variables extends object>(
    document: TypedDocumentString<Data, Variables>,
    variables: () => Variables,
    next: (data: Data) => void,
    lost: () => void = () => {},
  ): void {
    this.restart = () => this.begin(String(document), { variables, next, lost });
    this.restart();
  }

  /** Goes on after `expired` or `refused`, with a new token. */
  resume(): void {
    this.restart?.();
  }

  close(): void {
    this.restart = undefined;
    this.stop();
    clearTimeout(this.watchdog);
    window.removeEventListener("offline", this.hangUp);
    void this.client.dispose();
  }

  private begin(query: string, { variables, next, lost }: Following): void {
    this.stop();
    let over = false;
    const request = {
      query,
      get variables() {
        return variables() as Record<string, unknown>;
      },
    };
    const stop = this.client.subscribe<never>(request, {
      next: ({ data, errors }) => {
        if (over) return;
        if (data) next(data);
        else if (errors) this.failed(errors, lost);
      },
      error: (reason) => {
        if (!over) this.failed(reason, lost);
      },
      complete: () => {},
    });
    this.stopped = () => {
      over = true;
      stop();
    };
  }

  private stop(): void {
    this.stopped?.();
    this.stopped = undefined;
  }

  private async hello(): Promise<Record<string, unknown>> {
    this.sent = await this.session.token();
    const { tenant } = this.session;
    return { ...(this.sent && { authorization: `Bearer ${this.sent}` }), ...(tenant && { tenantId: tenant }) };
  }

  private closed(event: CloseEvent): void {
    clearTimeout(this.watchdog);
    if (event.code === 1012) this.retryAfterMs = retryAfterOf(event.reason);
    if (this.restart) this.onConnection("connecting");
  }

  /** graphql-ws has given up: a code that it does not retry, or an error of the operation. */
  private failed(reason: unknown, lost: () => void): void {
    this.stop();
    const error = (Array.isArray(reason) ? (reason as Refusal[])[0] : undefined)?.extensions;
    const code = error?.code ?? (reason as CloseEvent).code;
    if (code === 4401 || code === "UNAUTHENTICATED") void this.renew();
    else if (code === 4403 || code === "FORBIDDEN") this.onConnection("refused");
    else if (code === "INVALID_CURSOR") lost();
    else this.again(error?.retryAfter === undefined ? PATIENCE_MS : error.retryAfter * 1000);
  }

  private async renew(): Promise<void> {
    // A provider that fails is asked again, as is one whose tokens are refused: ever less often.
    const renewed = await this.session.renew(this.sent).catch(() => true);
    if (this.stopped || !this.restart) return; // begun anew meanwhile, or closed
    if (renewed) this.again(Math.min(PATIENCE_MS, 500 * 2 ** this.refusals++));
    else this.onConnection("expired");
  }

  private again(milliseconds: number): void {
    const { restart } = this;
    const timer = setTimeout(() => this.restart === restart && restart?.(), milliseconds);
    this.stopped = () => clearTimeout(timer);
  }

  /** Waits before the next attempt, or until the browser is online again. */
  private async wait(retries: number): Promise<void> {
    const backoff = Math.min(PATIENCE_MS, 500 * 2 ** retries) * (0.5 + Math.random());
    const milliseconds = this.retryAfterMs || backoff;
    this.retryAfterMs = 0;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        window.removeEventListener("online", done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      window.addEventListener("online", done);
    });
  }
}

function retryAfterOf(reason: string): number {
  try {
    return Number((JSON.parse(reason) as { retryAfterMs?: number }).retryAfterMs) || 0;
  } catch {
    return 0;
  }
}
