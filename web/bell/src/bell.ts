// <tocsin-bell>: the button with its badge, and the panel behind it. See docs/how-to/bell.md.
import { html, LitElement, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { Failure } from "./api.js";
import { detail } from "./detail.js";
import * as icons from "./icons.js";
import { type Full, Inbox } from "./inbox.js";
import { type ListHost, VirtualList } from "./list.js";
import { placeUnder } from "./place.js";
import { Preferences } from "./preferences.js";
import type { Filter, Row } from "./rows.js";
import { Session, type TokenProvider } from "./session.js";
import { languageOf, type Strings, Words } from "./strings.js";
import { styles } from "./styles.js";

type View = { name: "list" } | { name: "preferences" } | { name: "detail"; row: Row; full: Full | null | undefined };

const NOTICE_MS = 6000;
const CLOCK_MS = 60_000;

export class TocsinBell extends LitElement implements ListHost {
  static override styles = styles;
  static override properties = {
    endpoint: {},
    token: {},
    tenant: {},
    tokenProvider: { attribute: false },
    strings: { attribute: false },
  };

  /** Where the API is; https://…/graphql or a path. */
  declare endpoint: string;
  /** The user's token; null leaves it to tokenProvider, and without one to a cookie. */
  declare token: string | null;
  /** Which of a token's several tenants. */
  declare tenant: string | null;
  /** Gives a token when one is needed. */
  declare tokenProvider: TokenProvider | null;
  /** Translations; what is left out stays English. */
  declare strings: Partial<Strings>;

  private inbox: Inbox | undefined;
  private preferences: Preferences | undefined;
  private words = new Words({}, "en");
  private view: View = { name: "list" };
  private filter: Filter = "all";
  private isOpen = false;
  private hadFocus = false;
  private rowHadFocus = false;
  private undone = false;
  private said = "";
  private told: number | undefined;
  private timer: number | undefined;
  private clock: number | undefined;
  private readonly list = new VirtualList(this);

  constructor() {
    super();
    this.endpoint = "/graphql";
    this.token = this.tenant = this.tokenProvider = null;
    this.strings = {};
  }

  /** How many are unread; undefined until that is known. */
  get unread(): number | undefined {
    return this.inbox?.known ? this.inbox.unread : undefined;
  }

  open(): void {
    this.panel()?.showPopover();
  }

  close(): void {
    this.panel()?.hidePopover();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated && !this.inbox) this.begin();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.isOpen = false;
    this.closed();
    this.end();
  }

  override willUpdate(changed: PropertyValues<this>): void {
    this.rowHadFocus = !!(this.renderRoot as ShadowRoot).activeElement?.closest("li");
    if (!this.hasUpdated || changed.has("strings")) this.words = new Words(this.strings, languageOf(this));
    if (changed.has("endpoint") || changed.has("tenant") || changed.has("tokenProvider")) this.begin();
    else if (changed.has("token")) this.takeToken();
  }

  override updated(): void {
    if (this.isOpen) this.list.updated();
    this.keepFocus();
    if (this.isOpen && !this.inbox?.rows(this.filter).length) this.loadMore();
    const { unread } = this;
    if (unread === this.told || unread === undefined) return;
    if (this.told !== undefined) this.renderRoot.querySelector(".badge")?.classList.add("moved");
    this.told = unread;
    this.tell("tocsin-unread", { unread });
  }

  override render(): TemplateResult {
    const { words } = this;
    return html`
      <button class="bell" part="button" popovertarget="panel" aria-haspopup="dialog" aria-label=${this.label()}>
        ${icons.bell}${this.unread ? html`<span class="badge" part="badge" aria-hidden="true" @animationend=${calm}>${words.short(this.unread)}</span>` : nothing}
      </button>
      <span class="sr" role="status">${this.said}</span>
      <div id="panel" part="panel" popover role="dialog" aria-labelledby="heading" tabindex="-1" @beforetoggle=${this.onBefore} @toggle=${this.onToggle} @keydown=${this.onKey}>
        ${this.isOpen ? this.inside() : nothing}
      </div>
    `;
  }

  // ---- what the list asks ----

  openRow(row: Row): void {
    if (!row.read) void this.inbox?.read([row.id], true);
    if (!this.tell("tocsin-open", { id: row.id, url: row.url, title: row.title, category: row.category })) return this.close();
    const view = { name: "detail" as const, row, full: undefined as Full | null | undefined };
    this.show(view);
    const got = (full: Full | null): void => {
      view.full = full;
      this.requestUpdate();
    };
    this.inbox?.full(row.id).then(got, () => got(null));
  }

  toggleRead(row: Row): void {
    void this.inbox?.read([row.id], !row.read);
  }

  dismiss(row: Row): void {
    void this.inbox?.dismiss([row.id]);
  }

  loadMore(): void {
    if (this.view.name === "list" && !this.inbox?.failure) this.inbox?.more(this.filter);
  }

  // ---- from token to inbox ----

  private begin(token = this.token ?? undefined): void {
    this.end();
    if (!this.isConnected) return; // outside of a page nobody would close the connection
    const endpoint = new URL(this.endpoint, document.baseURI).href;
    const isOver = (): boolean => this.inbox?.session !== session;
    const undone = (failure: Failure): void => {
      if (!isOver()) this.takeBack(failure);
    };
    const session: Session = new Session(endpoint, this.tenant ?? undefined, token, this.tokenProvider ?? undefined, {
      expired: () => {
        if (!isOver()) this.tell("tocsin-token-expired", {});
      },
      replaced: (token) => {
        if (!isOver() && !this.inbox?.known) return false;
        if (!isOver()) this.begin(token);
        this.requestUpdate();
        return true;
      },
    });
    this.inbox = new Inbox(session, {
      changed: () => this.requestUpdate(),
      undone,
      arrived: (row) => {
        this.said = this.words.say("arrived", { title: row.title });
      },
    });
    this.preferences = new Preferences(session, () => this.requestUpdate(), undone);
    this.view = { name: "list" };
    if (this.isOpen) this.inbox.more(this.filter);
  }

  private end(): void {
    this.inbox?.close();
    this.inbox = undefined;
    this.told = undefined;
    this.said = "";
    this.undone = false;
    clearTimeout(this.timer);
  }

  /** Another token of the same user goes on where the last one ended; anybody else's begins anew. */
  private takeToken(): void {
    if (this.inbox?.session.take(this.token ?? undefined)) this.inbox.resume();
    else this.begin();
  }

  private takeBack(failure: Failure): void {
    this.undone = true;
    this.tell("tocsin-error", { code: failure.code, message: failure.message });
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      this.undone = false;
      this.requestUpdate();
    }, NOTICE_MS);
    this.requestUpdate();
  }

  /** Dispatches an event for the page; false: it was cancelled. */
  private tell(name: string, detail: object): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }

  // ---- the panel ----

  private inside(): TemplateResult {
    switch (this.view.name) {
      case "list":
        return html`${this.header()}${this.bar()}${this.notice()}${this.rows()}`;
      case "preferences":
        return html`${this.subHeader(this.words.say("preferences"))}${this.notice()}${this.preferences?.render(this.words)}`;
      case "detail": {
        const { row, full } = this.view;
        return html`${this.subHeader(this.words.say("notifications"))}${this.notice()}${detail(this.inbox?.row(row.id) ?? row, full, this.words)}`;
      }
    }
  }

  private header(): TemplateResult {
    return html`<header part="header">
      <h2 id="heading">${this.words.say("notifications")}</h2>
      ${this.iconButton("preferences", icons.gear, () => this.openPreferences())} ${this.iconButton("close", icons.close, () => this.close())}
    </header>`;
  }

  private subHeader(title: string): TemplateResult {
    return html`<header class="sub" part="header">
      ${this.iconButton("back", icons.back, () => this.back())}
      <h2 id="heading">${title}</h2>
      ${this.iconButton("close", icons.close, () => this.close())}
    </header>`;
  }

  private iconButton(name: "preferences" | "close" | "back", icon: TemplateResult, act: () => void): TemplateResult {
    const label = this.words.say(name);
    return html`<button class="icon ${name}" part="icon-button" title=${label} aria-label=${label} @click=${act}>${icon}</button>`;
  }

  private bar(): TemplateResult {
    const filter = (name: Filter): TemplateResult =>
      html`<button part="filter" aria-pressed=${this.filter === name} @click=${() => this.choose(name)}>${this.words.say(name)}</button>`;
    return html`<div class="bar" part="bar">
      <div class="filters" role="group" aria-label=${this.words.say("filter")}>${filter("all")}${filter("unread")}</div>
      ${this.markAll()}
    </div>`;
  }

  private markAll(): TemplateResult {
    // Not `disabled`, which would take the focus away from whoever has just pressed it.
    const idle = !this.unread || !this.inbox?.begun;
    const act = (): void => {
      if (!idle) void this.inbox?.readAll();
    };
    return html`<button class="plain" part="mark-all" aria-disabled=${idle} @click=${act}>${icons.checks}${this.words.say("markAllRead")}</button>`;
  }

  private notice(): TemplateResult | typeof nothing {
    if (this.undone) return html`<p class="notice" part="notice" role="alert">${this.words.say("undone")}</p>`;
    const connection = this.inbox?.connection;
    if (!this.inbox?.known || !connection || connection === "live")
      return connection === "expired" || connection === "refused" ? this.status(connection) : nothing;
    return this.status(connection);
  }

  private status(connection: "connecting" | "expired" | "refused"): TemplateResult {
    return html`<p class="notice" part="notice" role="status">${this.words.say(connection)}</p>`;
  }

  private rows(): TemplateResult {
    const { inbox, words, filter } = this;
    const rows = inbox?.rows(filter) ?? [];
    // Where there is no connection, the page is asked for again once there is.
    const failed = inbox?.failure && (!rows.length || inbox.connection === "live") ? this.failed(rows.length ? "notice" : "empty") : nothing;
    if (inbox && rows.length) return html`${failed}${this.list.render(rows, words, inbox.hasMore(filter))}`;
    if (failed !== nothing) return failed;
    if (!inbox || inbox.hasMore(filter)) return html`<div class="skeleton" role="status" aria-label=${words.say("loading")}>${SKELETON}</div>`;
    const done = filter === "unread";
    return html`<div class="empty" part="empty">
      ${done ? icons.check : icons.bell}<strong>${words.say(done ? "allRead" : "empty")}</strong>${words.say(done ? "allReadHint" : "emptyHint")}
    </div>`;
  }

  private failed(look: "notice" | "empty"): TemplateResult {
    const { words, filter } = this;
    return html`<div class=${look} role="alert">
      <p>${words.say("failed")}</p>
      <button class="plain" @click=${() => this.inbox?.more(filter)}>${words.say("retry")}</button>
    </div>`;
  }

  private choose(filter: Filter): void {
    this.filter = filter;
    this.list.reset();
    this.inbox?.more(filter);
    this.requestUpdate();
  }

  private openPreferences(): void {
    void this.preferences?.load();
    this.show({ name: "preferences" });
  }

  private back(): void {
    const from = this.view.name;
    this.show({ name: "list" }, from === "preferences" ? ".preferences" : undefined);
    if (from === "detail") this.list.focus();
  }

  /** Shows another view, with the focus on its beginning or on what is given. */
  private show(view: View, focus = ".back"): void {
    this.view = view;
    this.requestUpdate();
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(focus)?.focus());
  }

  /** Before the first frame of the panel: it is filled, and in its place, so that nothing moves. */
  private readonly onBefore = (event: Event): void => {
    const { activeElement } = this.renderRoot as ShadowRoot;
    this.isOpen = (event as ToggleEvent).newState === "open";
    // The focus goes back to the bell, unless the user has put it elsewhere.
    this.hadFocus = !this.isOpen && !!this.panel()?.contains(activeElement);
    if (this.isOpen) this.opened();
    else this.closed();
  };

  private readonly onToggle = (): void => {
    if (this.isOpen) this.panel()?.focus();
    else if (this.hadFocus) this.renderRoot.querySelector<HTMLElement>(".bell")?.focus();
    this.requestUpdate();
  };

  private opened(): void {
    this.words = new Words(this.strings, languageOf(this));
    this.list.reset();
    window.addEventListener("resize", this.place);
    window.addEventListener("scroll", this.place, true);
    this.clock = window.setInterval(() => this.requestUpdate(), CLOCK_MS);
    this.inbox?.more(this.filter);
    this.place();
    this.requestUpdate();
    requestAnimationFrame(() => {
      this.place();
      this.requestUpdate();
    });
  }

  private closed(): void {
    this.view = { name: "list" };
    clearInterval(this.clock);
    window.removeEventListener("resize", this.place);
    window.removeEventListener("scroll", this.place, true);
  }

  private readonly place = (): void => {
    const panel = this.panel();
    if (panel) placeUnder(this, panel);
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key === "Escape" && this.view.name !== "list") {
      event.preventDefault();
      this.back();
    } else if (event.key === "ArrowDown" && event.target === event.currentTarget && this.view.name === "list") {
      event.preventDefault();
      this.list.focus();
    }
  };

  /** Where a row that had the focus has gone, the focus goes to the one in its place, or to the panel. */
  private keepFocus(): void {
    if (this.isOpen && this.view.name === "list" && this.rowHadFocus && !(this.renderRoot as ShadowRoot).activeElement) this.list.focus();
  }

  private label(): string {
    const { words, unread } = this;
    const count = unread ? words.say("unreadCount", { count: unread }) : words.say("noneUnread");
    return unread === undefined ? words.say("notifications") : `${words.say("notifications")}: ${count}`;
  }

  private panel(): HTMLElement | null {
    return this.renderRoot.querySelector<HTMLElement>("#panel");
  }
}

const SKELETON = Array.from({ length: 5 }, () => html`<div></div>`);
const calm = (event: Event): void => (event.currentTarget as Element).classList.remove("moved");

if (!customElements.get("tocsin-bell")) customElements.define("tocsin-bell", TocsinBell);

declare global {
  interface HTMLElementTagNameMap {
    "tocsin-bell": TocsinBell;
  }
}
