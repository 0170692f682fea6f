// Verifies [{secret, headers, body}] from stdin as a receiver would; prints the payloads, or why there is none.
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

const results = JSON.parse(await text(process.stdin)).map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(body, headers);
  } catch (error) {
    return error.message;
  }
});
process.stdout.write(JSON.stringify(results));
