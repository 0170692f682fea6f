// Runs a client of docs/how-to/live.md: main.mjs MODULE URL FILE, a token being in the file whenever one is asked for.
// Prints a JSON object a line: each badge and page that is shown, each cursor that is heard, each code of a close.
import { readFile } from "node:fs/promises";
import WebSocket from "ws";

const [module, url, file] = process.argv.slice(2);
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
  getToken: () => readFile(file, "utf8"),
  onBadge: (badge) => tell({ badge }),
  onPage: (page) => tell({ page }),
});
