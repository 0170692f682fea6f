// Who asks: the address, the token, and where the next token comes from.

export type TokenProvider = () => string | Promise<string>;

const TIMES = ["exp", "iat", "nbf", "jti"];

/** What a token says of its bearer, without its times; two tokens that say the same are of one inbox. */
function bearer(token: string): string {
  const payload = token.split(".")[1];
  if (!payload) return token;
  try {
    const claims = Object.entries(JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as object);
    return JSON.stringify(claims.filter(([name]) => !TIMES.includes(name)).sort());
  } catch {
    return token;
  }
}

/** What becomes of a token. */
export type TokenListener = {
  /** None is left that counts. */
  expired(): void;
  /** The provider gave a token of somebody else. Tells whether that ends this session, for there is something to hide. */
  replaced(token: string): boolean;
};

export class Session {
  private held: string | undefined;
  private complained: string | undefined;
  private next: Promise<string | undefined> | undefined;

  /** provider: asked for the first token, if there is none, and again when one has expired. */
  constructor(
    readonly endpoint: string,
    readonly tenant: string | undefined,
    token: string | undefined,
    private readonly provider: TokenProvider | undefined,
    private readonly listener: TokenListener,
  ) {
    this.held = token;
  }

  /** The token to send; undefined: none, which leaves it to a cookie. */
  async token(): Promise<string | undefined> {
    if (this.held === undefined && this.provider) await this.renew(undefined);
    return this.held;
  }

  /** Whether there is another token than the one that was refused. */
  async renew(refused: string | undefined): Promise<boolean> {
    if (this.held !== refused) return true;
    this.next ??= Promise.resolve(this.provider?.());
    let given: string | undefined;
    try {
      given = await this.next;
    } finally {
      this.next = undefined;
    }
    const isOther = given !== undefined && this.held !== undefined && bearer(given) !== bearer(this.held);
    if (isOther && this.listener.replaced(given!)) return false;
    this.held = given ?? this.held;
    if (this.held !== refused) return true;
    if (refused !== undefined && this.complained !== refused) this.listener.expired();
    this.complained = refused;
    return false;
  }

  /** Takes a token on; tells whether it is of the same inbox, so that what is shown may stay. */
  take(token: string | undefined): boolean {
    const same = token !== undefined && this.held !== undefined && bearer(token) === bearer(this.held);
    if (same) this.held = token;
    return same;
  }
}
