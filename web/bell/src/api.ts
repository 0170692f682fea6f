// Questions and changes, over HTTP: what is sent once is done once. See live.ts for what comes by itself.
import type { TypedDocumentString } from "./generated.js";
import type { Session } from "./session.js";

/** What went wrong: a code of the API, HTTP_…, or NETWORK where nothing answered. */
export class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

type Answer<Data> = { data?: Data | null; errors?: { message: string; extensions?: { code?: string } }[] };

const PATIENCE_MS = 15_000;

/** Runs an operation and gives its data. Throws a Failure if any part of it failed. */
export async function ask<Data, Variables>(
  session: Session,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const token = await session.token();
  const body = { query: String(document), variables };
  let answer = await post<Data>(session, token, body);
  // Once: a provider may give one token after another that the server refuses.
  if (answer.errors?.[0]?.extensions?.code === "UNAUTHENTICATED" && (await session.renew(token)))
    answer = await post<Data>(session, await session.token(), body);
  const error = answer.errors?.[0];
  if (error) throw new Failure(error.extensions?.code ?? "UNKNOWN", error.message);
  if (!answer.data) throw new Failure("UNKNOWN", "The answer has no data.");
  return answer.data;
}

async function post<Data>(session: Session, token: string | undefined, body: object): Promise<Answer<Data>> {
  const headers: Record<string, string> = { "Content-Type": "application/json", Accept: "application/graphql-response+json, application/json" };
  if (token) headers["Authorization"] = `Bearer ${token}`;
  if (session.tenant) headers["X-Tenant-Id"] = session.tenant;
  // A cookie counts only where there is no token, also on another origin; the server decides which.
  const credentials = token ? "same-origin" : "include";
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    const response = await fetch(session.endpoint, { method: "POST", headers, body: JSON.stringify(body), credentials, signal });
    const answer = (await response.json()) as Answer<Data>;
    if (!answer.data && !answer.errors) throw new Failure(`HTTP_${response.status}`, "This is no answer of the API.");
    return answer;
  } catch (error) {
    throw error instanceof Failure ? error : new Failure("NETWORK", String(error));
  }
}
