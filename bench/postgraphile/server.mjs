// A PostGraphile of Tocsin's tables, with the badge to read and to watch: server.mjs DATABASE_URL JWT_SECRET POOL_SIZE.
// Prints its port.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { postgraphile } from "postgraphile";
import { makePgService } from "postgraphile/adaptors/pg";
import { context, lambda, listen } from "postgraphile/grafast";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { extendSchema, gql } from "postgraphile/utils";

const [connectionString, secret, poolSize] = process.argv.slice(2);

// A change of an inbox says that it changed; its row is read again for who subscribed.
const badge = extendSchema((build) => {
  const { inbox } = build.input.pgRegistry.pgResources;
  const mine = () => inbox.get({ tenant_id: context().get("tenant"), user_id: context().get("user") });
  return {
    typeDefs: gql`
      extend type Query {
        stats: Inbox
      }
      extend type Subscription {
        stats: Inbox
      }
    `,
    objects: {
      Query: { plans: { stats: mine } },
      Subscription: {
        plans: {
          stats: {
            subscribePlan() {
              const topic = lambda(context().get("topic"), (topic) => topic);
              return listen(context().get("pgSubscriber"), topic, (event) => event, lambda(topic, () => ""));
            },
            plan: mine,
          },
        },
      },
    },
  };
});

const verified = (headers) =>
  jwt.verify(headers.authorization.slice("Bearer ".length), secret, {
    algorithms: ["HS256"],
    audience: "tocsin",
    issuer: "tocsin",
  });

const preset = {
  extends: [PostGraphileAmberPreset],
  plugins: [badge],
  // It offers no order or condition by columns that no whole index begins with; a partial one serves an inbox.
  disablePlugins: ["PgIndexBehaviorsPlugin"],
  pgServices: [
    makePgService({
      connectionString,
      schemas: ["tocsin"],
      pubsub: true,
      poolConfig: { max: Number(poolSize), idleTimeoutMillis: 0 },
    }),
  ],
  grafserv: { websockets: true, graphiql: false, watch: false },
  grafast: {
    explain: false,
    // Row level security is Tocsin's own.
    context(request) {
      const { tenant, sub } = verified(request.ws?.connectionParams ?? request.node.req.headers);
      return {
        tenant,
        user: sub,
        topic: `inbox:${tenant}:${sub}`,
        pgSettings: { role: "tocsin_app", "tocsin.tenant": tenant, "tocsin.actor": `user:${sub}` },
      };
    },
  },
};

const server = createServer();
const serving = postgraphile(preset).createServ(grafserv);
await serving.addTo(server);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
