// A Mercurius with JIT over Tocsin's tables: server.mjs DATABASE_URL JWT_SECRET POOL_SIZE [STATEMENTS]. Prints its port.
// Without STATEMENTS: SQL as one would write it by hand, no row level security, no event log (plain.mjs).
// With: the very statements of Tocsin, a JSON file of them, under its row level security (equal.mjs).
// No field that is measured needs a loader: what nests is in the row.
import { readFileSync } from "node:fs";
import { createVerifier } from "fast-jwt";
import Fastify from "fastify";
import mercurius from "mercurius";
import pg from "pg";
import { equal } from "./equal.mjs";
import { plain } from "./plain.mjs";

const [connectionString, secret, max, statements] = process.argv.slice(2);

const schema = `
  type Action { label: String! url: String! }
  type Notification {
    id: ID! type: String! category: String! severity: String! title: String! body: String! url: String icon: String!
    createdAt: String! readAt: String actions: [Action!]!
  }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type NotificationConnection { nodes: [Notification!]! pageInfo: PageInfo! unreadCount: Int! }
  type Stats { unread: Int! }
  type InboxPayload { changed: Int! notifications: [Notification!]! stats: Stats! }
  type MarkAllReadPayload { marked: Int! stats: Stats! }
  type Query {
    stats: Stats
    notifications(first: Int!, after: String): NotificationConnection
  }
  type Mutation {
    read(ids: [ID!]!): InboxPayload
    markAllRead: MarkAllReadPayload
  }
`;

const pool = new pg.Pool({
  connectionString,
  max: Number(max),
  idleTimeoutMillis: 0,
  options: statements ? "-c role=tocsin_app -c timezone=UTC" : "-c timezone=UTC",
});
const inbox = statements ? equal(pool, JSON.parse(readFileSync(statements))) : plain(pool);

const resolvers = {
  Query: {
    stats: (_root, _args, { tenant, user }) => inbox.stats(tenant, user),
    async notifications(_root, { first, after }, { tenant, user }) {
      const [at, id] = after ? JSON.parse(Buffer.from(after, "base64url")) : [];
      const { rows, unread } = await inbox.page(tenant, user, first + 1, at, id);
      const nodes = rows.slice(0, first);
      const last = nodes.at(-1);
      const endCursor = last && Buffer.from(JSON.stringify([last.created_at, last.id])).toString("base64url");
      return { nodes, pageInfo: { hasNextPage: rows.length > first, endCursor }, unreadCount: unread };
    },
  },
  Mutation: {
    read: (_root, { ids }, { tenant, user }) => inbox.read(tenant, user, ids),
    markAllRead: (_root, _args, { tenant, user }) => inbox.markAllRead(tenant, user),
  },
  Notification: {
    createdAt: (row) => row.created_at.toISOString(),
    readAt: (row) => row.read_at?.toISOString(),
  },
};

// Verified tokens are remembered, as Tocsin remembers them.
const verify = createVerifier({
  key: secret,
  algorithms: ["HS256"],
  allowedAud: "tocsin",
  allowedIss: "tocsin",
  cache: 10000,
});
const app = Fastify();
app.register(mercurius, {
  schema,
  resolvers,
  jit: 1,
  context(request) {
    const { tenant, sub } = verify(request.headers.authorization.slice("Bearer ".length));
    return { tenant, user: sub };
  },
});
await app.listen({ host: "127.0.0.1", port: 0 });
console.log(app.server.address().port);
