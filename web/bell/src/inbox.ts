// One inbox: what the server has told of it, what the user has done to it, and how both are kept in step.
import { ask, Failure } from "./api.js";
import {
  BadgeDocument,
  DismissDocument,
  EventsDocument,
  type FullQuery,
  FullDocument,
  MarkAllReadDocument,
  MarkReadDocument,
  PageDocument,
  type PageQuery,
} from "./generated.js";
import { type Connection, Live } from "./live.js";
import { after, type Change, changed, type Filter, type InboxEvent, type Known, listed, NOTHING, type Row, withPage } from "./rows.js";
import type { Session } from "./session.js";

type Page = NonNullable<PageQuery["notifications"]>;
export type Full = NonNullable<FullQuery["notification"]>;

/** The first page comes soon, the others seldom. */
const FIRST_PAGE = 50;
const NEXT_PAGE = 200;
const REREAD_MS = 5000;

/** What an inbox tells whoever shows it. */
export type Listener = {
  /** Something differs; read it anew. */
  changed(): void;
  /** What the user did was not done, and is undone on the screen. */
  undone(failure: Failure): void;
  /** Something new has come. */
  arrived(row: Row): void;
};

export class Inbox {
  connection: Connection = "connecting";
  /** Why the last page could not be had. */
  failure: Failure | undefined;
  /** Whether the badge is known. */
  known = false;
  private state: Known = NOTHING;
  private pending: readonly Change[] = [];
  /** Events of the time in which answers were waited for: an answer may be older than they are. */
  private heard: InboxEvent[] = [];
  private waiting = 0;
  private loads: Promise<void> = Promise.resolve();
  private readonly loading = new Set<Filter>();
  private readonly live: Live;
  private shownState: { of: readonly [Known, readonly Change[]]; is: Known; lists: Partial<Record<Filter, Row[]>> };
  private open = true;
  /** The list that was looked at last. */
  private latest: Filter = "all";

  constructor(
    readonly session: Session,
    private readonly listener: Listener,
  ) {
    this.shownState = { of: [this.state, this.pending], is: this.state, lists: {} };
    this.live = new Live(session, (connection) => {
      this.connection = connection;
      if (connection === "live") this.failure = undefined;
      listener.changed();
    });
    this.live.follow(
      BadgeDocument,
      () => ({}),
      ({ stats }) => this.becomes({ ...this.state, unread: stats.unread }),
    );
  }

  /** Whether a first page is there, which tells up to where "all" is. */
  get begun(): boolean {
    return this.state.cursor !== "";
  }

  get unread(): number {
    return this.shown().is.unread;
  }

  rows(filter: Filter): Row[] {
    const { is, lists } = this.shown();
    return (lists[filter] ??= listed(is, filter));
  }

  row(id: string): Row | undefined {
    return this.shown().is.rows.get(id);
  }

  /** Whether a list goes on below what is here, and whether its next page is on its way. */
  hasMore(filter: Filter): boolean {
    return this.state.reach[filter]?.more ?? true;
  }

  isLoading(filter: Filter): boolean {
    return this.loading.has(filter);
  }

  /** Gets the next page of a list; one at a time. */
  more(filter: Filter): void {
    this.latest = filter;
    if (this.loading.has(filter) || !this.hasMore(filter)) return;
    this.loading.add(filter);
    this.failure = undefined;
    this.loads = this.loads
      .then(() => this.load(filter))
      .catch((error: unknown) => {
        this.failure = asFailure(error);
      })
      .finally(() => {
        this.loading.delete(filter);
        this.listener.changed();
      });
    this.listener.changed();
  }

  read(ids: readonly string[], read: boolean): Promise<void> {
    return this.attempt({ kind: "read", ids, read }, () =>
      ask(this.session, MarkReadDocument, { ids: [...ids], read }),
    );
  }

  dismiss(ids: readonly string[]): Promise<void> {
    return this.attempt({ kind: "dismiss", ids }, () => ask(this.session, DismissDocument, { ids: [...ids] }));
  }

  readAll(): Promise<void> {
    const { cursor, rows } = this.state;
    const through = [...rows.values()].reduce((most, row) => Math.max(most, row.unreadSeq), 0);
    return this.attempt({ kind: "readAll", through }, () => ask(this.session, MarkAllReadDocument, { upTo: cursor }));
  }

  async full(id: string): Promise<Full | null> {
    return (await ask(this.session, FullDocument, { id })).notification;
  }

  /** Goes on with a new token of the same inbox. */
  resume(): void {
    this.live.resume();
  }

  close(): void {
    this.open = false;
    this.live.close();
  }

  private shown(): Inbox["shownState"] {
    const { state, pending } = this;
    if (this.shownState.of[0] !== state || this.shownState.of[1] !== pending)
      this.shownState = { of: [state, pending], is: pending.reduce(changed, state), lists: {} };
    return this.shownState;
  }

  private becomes(state: Known): void {
    if (!this.open) return;
    this.state = state;
    this.known = true;
    this.listener.changed();
  }

  private async load(filter: Filter): Promise<void> {
    const after = this.state.reach[filter]?.endCursor ?? null;
    await this.listening(async (missed) => {
      const page = await this.page(filter, after);
      if (this.state.cursor) this.becomes(withPage(this.state, filter, page, missed()));
      else this.beginWith(filter, page);
    });
  }

  private async page(filter: Filter, after: string | null): Promise<Page> {
    const only = filter === "unread" ? { readState: "UNREAD" as const } : null;
    const { notifications } = await ask(this.session, PageDocument, {
      first: after ? NEXT_PAGE : FIRST_PAGE,
      after,
      filter: only,
    });
    if (!notifications) throw new Failure("UNKNOWN", "The answer has no page.");
    return notifications;
  }

  /** Shows a first page and follows what happens from there; its events carry the badge, too. */
  private beginWith(filter: Filter, page: Page): void {
    const begun = { ...NOTHING, unread: page.unreadCount, cursor: page.eventCursor };
    this.becomes(withPage(begun, filter, page, []));
    if (!this.open) return;
    this.live.follow(
      EventsDocument,
      () => ({ since: this.state.cursor }),
      ({ inboxEvents }) => this.hear(inboxEvents),
      () => this.reread(),
    );
  }

  private hear(event: InboxEvent): void {
    if (event.__typename === "ResyncRequired") return this.reread();
    if (this.waiting) this.heard.push(event);
    const isNew = event.__typename === "NotificationCreated" && !this.state.rows.has(event.notification.id);
    this.becomes(after(this.state, event));
    if (isNew) this.listener.arrived(event.notification);
  }

  /** Reads the inbox anew; till then, what was known stays on the screen. */
  private reread(): void {
    const { latest } = this;
    this.loads = this.loads
      .then(async () => this.beginWith(latest, await this.page(latest, null)))
      .catch(() => {
        if (this.open) setTimeout(() => this.reread(), REREAD_MS);
      });
  }

  /** Shows a change at once, has it done, and takes it back if that fails. */
  private async attempt(change: Change, send: () => Promise<unknown>): Promise<void> {
    this.pending = [...this.pending, change];
    this.listener.changed();
    try {
      await this.listening(async (missed) => {
        await send();
        const untold = without(change, missed());
        if (untold) this.becomes(changed(this.state, untold));
      });
    } catch (error) {
      this.listener.undone(asFailure(error));
    } finally {
      this.pending = this.pending.filter((it) => it !== change);
      this.listener.changed();
    }
  }

  /** Waits for something; `missed` gives the events that came meanwhile. */
  private async listening(wait: (missed: () => readonly InboxEvent[]) => Promise<void>): Promise<void> {
    const from = this.heard.length;
    this.waiting++;
    try {
      await wait(() => this.heard.slice(from));
    } finally {
      if (--this.waiting === 0) this.heard = [];
    }
  }
}

/** The part of a change that no event has told of: what an event told is newer than the answer to the change. */
function without(change: Change, events: readonly InboxEvent[]): Change | undefined {
  if (change.kind === "readAll") {
    const told = events.some((event) => event.__typename === "InboxRead" && event.ids === null);
    return told ? undefined : change;
  }
  const told = new Set(events.flatMap(idsOf));
  const ids = change.ids.filter((id) => !told.has(id));
  return ids.length ? { ...change, ids } : undefined;
}

function idsOf(event: InboxEvent): string[] {
  switch (event.__typename) {
    case "NotificationCreated":
    case "NotificationUpdated":
      return [event.notification.id];
    case "NotificationRemoved":
      return [event.id];
    case "InboxRead":
      return event.ids ?? [];
    default:
      return [];
  }
}

const asFailure = (error: unknown): Failure => (error instanceof Failure ? error : new Failure("UNKNOWN", String(error)));
