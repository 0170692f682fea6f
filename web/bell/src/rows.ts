// What is known of an inbox, and how events and what the user has just done change it. Nothing here waits or asks.
import type { EventsSubscription, RowFragment } from "./generated.js";

export type Row = RowFragment;
export type InboxEvent = EventsSubscription["inboxEvents"];
export type Filter = "all" | "unread";

/** How far down a list has been read: rows with a lower key are not known to be complete. */
export type Reach = { endCursor: string | null; more: boolean; lowest: string };

/** The inbox as the server has told it. `rows` may hold more than any list shows. */
export type Known = {
  rows: ReadonlyMap<string, Row>;
  unread: number;
  cursor: string;
  reach: Partial<Record<Filter, Reach>>;
};

/** Something that the user has done and the server has not confirmed yet. */
export type Change =
  | { kind: "read"; ids: readonly string[]; read: boolean }
  | { kind: "dismiss"; ids: readonly string[] }
  | { kind: "readAll"; through: number };

export const NOTHING: Known = { rows: new Map(), unread: 0, cursor: "", reach: {} };

export const sortKey = (row: Row): string => row.createdAt + row.id;

/** What is known after an event. An event brings its row as it is now, so nothing is worked out here. */
export function after(known: Known, event: InboxEvent): Known {
  const rows = new Map(known.rows);
  switch (event.__typename) {
    case "NotificationCreated":
    case "NotificationUpdated":
      rows.set(event.notification.id, event.notification);
      break;
    case "NotificationRemoved":
      rows.delete(event.id);
      break;
    case "InboxRead":
      for (const [id, row] of rows)
        if (event.ids?.includes(id) ?? row.unreadSeq <= event.upToSeq) rows.set(id, { ...row, read: true });
  }
  return { ...known, rows, unread: event.stats.unread, cursor: event.cursor };
}

/** What is known after a page. `missed`: what came while it was asked for, which it may be older than. */
export function withPage(
  known: Known,
  filter: Filter,
  page: { nodes: readonly Row[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } },
  missed: readonly InboxEvent[],
): Known {
  const fresh = new Map(page.nodes.map((row) => [row.id, row]));
  const mended = missed.reduce(after, { ...known, rows: fresh }).rows;
  // A row that was known has followed each event since.
  const rows = new Map([...mended, ...known.rows]);
  const last = page.nodes.at(-1);
  const lowest = last ? sortKey(last) : (known.reach[filter]?.lowest ?? "");
  const reach = { endCursor: page.pageInfo.endCursor, more: page.pageInfo.hasNextPage, lowest };
  return { ...known, rows, reach: { ...known.reach, [filter]: reach } };
}

/** What is known if a change is taken for done. Where the server has told of it already, nothing differs. */
export function changed(known: Known, change: Change): Known {
  const rows = new Map(known.rows);
  let { unread } = known;
  for (const row of known.rows.values()) {
    if (change.kind === "readAll" ? row.unreadSeq > change.through : !change.ids.includes(row.id)) continue;
    const read = change.kind === "read" ? change.read : true;
    if (change.kind === "dismiss") rows.delete(row.id);
    else rows.set(row.id, { ...row, read });
    unread += Number(row.read) - Number(read);
  }
  if (change.kind === "readAll") unread = [...rows.values()].filter((row) => !row.read).length;
  return { ...known, rows, unread: Math.max(0, unread) };
}

/** The rows of a list, newest first. */
export function listed({ rows, reach }: Known, filter: Filter): Row[] {
  const { more, lowest } = reach[filter] ?? { more: true, lowest: "\uffff" };
  return [...rows.values()]
    .filter((row) => (filter === "all" || !row.read) && (!more || sortKey(row) >= lowest))
    .sort(newestFirst);
}

function newestFirst(one: Row, other: Row): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? 1 : -1;
  return one.id < other.id ? 1 : -1;
}
