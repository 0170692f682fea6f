// Runs a client of docs/how-to/live.md: main.mjs MODULE URL. Prints a JSON object a line: each badge and page that is
// shown, each cursor that is heard, each code of a close, and that a token is wanted, which comes as a line of stdin.
import { createInterface } from "node:readline/promises";
import WebSocket from "ws";

const [module, url] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

globalThis.WebSocket = class extends WebSocket {
  constructor(...given) {
    super(...given);
    this.on("close", (closed) => tell({ closed }));
    this.on("message", (data) => {
      const heard = JSON.parse(data).payload?.data?.inboxEvents?.cursor;
      if (heard) tell({ heard });
    });
  }
};

const { live } = await import(`./generated/${module}.js`);
await live({
  url,
  getToken: async () => {
    tell({ wants: "token" });
    return (await lines.next()).value;
  },
  onBadge: (badge) => tell({ badge }),
  onPage: (page) => tell({ page }),
});
