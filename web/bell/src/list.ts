// A list of any length with as few rows in the page as fit on the screen, walked with the arrow keys.
import { html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import * as icons from "./icons.js";
import type { Row } from "./rows.js";
import type { Words } from "./strings.js";

const OVERSCAN = 6;
const NEAR_THE_END = 15;

/** What a list asks of whoever holds it. */
export type ListHost = {
  readonly renderRoot: ParentNode;
  requestUpdate(): void;
  openRow(row: Row): void;
  toggleRead(row: Row): void;
  dismiss(row: Row): void;
  loadMore(): void;
};

export class VirtualList {
  private rows: readonly Row[] = [];
  private first = 0;
  private fitting = 12;
  private height = 0;
  /** The one row that the Tab key reaches; arrows move it. */
  private active: string | undefined;
  private activeIndex = 0;
  private focusNext = false;
  /** The row at the top of the screen, which stays there whatever comes above it. */
  private anchor: { id: string; index: number } | undefined;

  constructor(private readonly host: ListHost) {}

  /** Back to the top, as another list. */
  reset(): void {
    this.active = undefined;
    this.activeIndex = 0;
    this.anchor = undefined;
    this.first = 0;
    const scroller = this.scroller();
    if (scroller) scroller.scrollTop = 0;
  }

  render(rows: readonly Row[], words: Words, more: boolean): TemplateResult {
    this.rows = rows;
    this.settle();
    const last = Math.min(rows.length, this.first + this.fitting + 2 * OVERSCAN);
    const visible = rows.slice(this.first, last).map((row, at) => ({ row, index: this.first + at }));
    const active = rows[this.activeIndex];
    // The row with the focus stays in the page, wherever it is scrolled to.
    if (active && (this.activeIndex < this.first || this.activeIndex >= last))
      visible.push({ row: active, index: this.activeIndex });
    const size = more ? -1 : rows.length;
    return html`<div class="scroller" part="list" @scroll=${this.onScroll} @keydown=${this.onKey} @focusin=${this.onFocus}>
      <ul role="list" aria-label=${words.say("notifications")}>
        ${repeat(
          visible,
          ({ row }) => row.id,
          ({ row, index }) => this.row(row, index, size, words),
        )}
      </ul>
    </div>`;
  }

  /** Places the rows; styles are set here, where a strict style-src lets them be. */
  updated(): void {
    const scroller = this.scroller();
    const list = scroller?.querySelector("ul");
    if (!scroller || !list) return this.focusPanelIfWanted();
    const items = [...list.querySelectorAll<HTMLElement>("li")];
    if (items[0]) this.height = items[0].offsetHeight || this.height;
    list.style.blockSize = `${this.rows.length * this.height}px`;
    for (const item of items) item.style.transform = `translateY(${Number(item.dataset["index"]) * this.height}px)`;
    this.keepPlace(scroller);
    this.focusIfWanted(scroller);
    this.measure(scroller);
    if (this.first + this.fitting + NEAR_THE_END >= this.rows.length) this.host.loadMore();
  }

  /** Puts the focus on the active row, or on the panel if there is none. */
  focus(): void {
    this.focusNext = true;
    this.host.requestUpdate();
  }

  private row(row: Row, index: number, size: number, words: Words): TemplateResult {
    const reachable = index === this.activeIndex ? 0 : -1;
    const { title, read } = row;
    const toggle = words.say(read ? "markUnread" : "markRead");
    const dismiss = words.say("dismiss");
    const text = preview(row);
    return html`<li
      class=${read ? "read" : "unread"}
      part="row ${read ? "read" : "unread"}"
      data-id=${row.id}
      data-index=${index}
      data-severity=${row.severity}
      aria-posinset=${index + 1}
      aria-setsize=${size}
    >
      <button class="row" part="row-button" tabindex=${reachable} @click=${() => this.host.openRow(row)}>
        ${mark(row)}
        <span class="text">
          <span class="title ${text ? "" : "long"}" part="title" dir="auto">${title}</span>
          ${text ? html`<span class="preview" part="preview" dir="auto">${text}</span>` : nothing}
          <span class="meta" part="meta"
            >${read ? nothing : html`<span class="sr">${words.say("unread")}. </span>`}<time
              dir="auto"
              datetime=${row.createdAt}
              title=${words.full(row.createdAt)}
              >${words.since(row.createdAt)}</time
            > · <span dir="auto">${row.category}</span></span
          >
        </span>
      </button>
      <span class="actions" part="actions">
        <button class="icon" tabindex=${reachable} title=${toggle} aria-label=${words.say("about", { action: toggle, title })} @click=${() => this.host.toggleRead(row)}>
          ${read ? icons.dot : icons.check}
        </button>
        <button class="icon" tabindex=${reachable} title=${dismiss} aria-label=${words.say("about", { action: dismiss, title })} @click=${() => this.leave(row)}>
          ${icons.archive}
        </button>
      </span>
    </li>`;
  }

  private leave(row: Row): void {
    this.focusNext = true;
    this.host.dismiss(row);
  }

  /** Finds the active row and the first one again, after rows have come or gone. */
  private settle(): void {
    const { rows, active } = this;
    if (active !== undefined && rows[this.activeIndex]?.id !== active) {
      const found = rows.findIndex((row) => row.id === active);
      if (found >= 0) this.activeIndex = found;
    }
    this.activeIndex = Math.max(0, Math.min(this.activeIndex, rows.length - 1));
    // With nothing chosen yet, the first row is where the Tab key leads, whichever that is.
    if (active !== undefined) this.active = rows[this.activeIndex]?.id;
    this.first = Math.max(0, Math.min(this.first, rows.length - this.fitting));
  }

  private keepPlace(scroller: HTMLElement): void {
    const { anchor } = this;
    if (anchor && scroller.scrollTop > 0 && this.rows[anchor.index]?.id !== anchor.id) {
      const index = this.rows.findIndex((row) => row.id === anchor.id);
      if (index >= 0) scroller.scrollTop += (index - anchor.index) * this.height;
    }
    this.remember(scroller);
  }

  private remember(scroller: HTMLElement): void {
    const index = this.height ? Math.floor(scroller.scrollTop / this.height) : 0;
    const row = this.rows[index];
    this.anchor = row && { id: row.id, index };
  }

  private focusIfWanted(scroller: HTMLElement): void {
    if (!this.focusNext) return;
    this.active = this.rows[this.activeIndex]?.id;
    const button = scroller.querySelector<HTMLElement>(`li[data-index="${this.activeIndex}"] .row`);
    if (!button) return this.focusPanelIfWanted();
    this.focusNext = false;
    button.focus({ preventScroll: true });
    this.reveal(scroller);
  }

  private focusPanelIfWanted(): void {
    if (this.focusNext) this.host.renderRoot.querySelector<HTMLElement>("#panel")?.focus();
    this.focusNext = false;
  }

  /** Scrolls as little as it takes to show the active row. */
  private reveal(scroller: HTMLElement): void {
    const top = this.activeIndex * this.height;
    const bottom = top + this.height - scroller.clientHeight;
    if (scroller.scrollTop > top) scroller.scrollTop = top;
    else if (scroller.scrollTop < bottom) scroller.scrollTop = bottom;
  }

  private measure(scroller: HTMLElement): void {
    const fitting = this.height ? Math.ceil(scroller.clientHeight / this.height) : this.fitting;
    if (!fitting || fitting === this.fitting) return;
    this.fitting = fitting;
    this.host.requestUpdate();
  }

  private readonly onScroll = (event: Event): void => {
    const scroller = event.currentTarget as HTMLElement;
    this.remember(scroller);
    const first = Math.max(0, Math.floor(scroller.scrollTop / (this.height || 1)) - OVERSCAN);
    if (first === this.first) return;
    this.first = first;
    this.host.requestUpdate();
  };

  private readonly onFocus = (event: FocusEvent): void => {
    const item = (event.target as Element).closest<HTMLElement>("li");
    if (!item || item.dataset["id"] === this.active) return;
    this.active = item.dataset["id"];
    this.activeIndex = Number(item.dataset["index"]);
    this.host.requestUpdate();
  };

  private readonly onKey = (event: KeyboardEvent): void => {
    const last = this.rows.length - 1;
    const targets: Record<string, number> = {
      ArrowDown: this.activeIndex + 1,
      ArrowUp: this.activeIndex - 1,
      PageDown: this.activeIndex + this.fitting - 1,
      PageUp: this.activeIndex - this.fitting + 1,
      Home: 0,
      End: last,
    };
    const target = targets[event.key];
    const row = this.rows[this.activeIndex];
    if (event.key === "Delete" && row) this.leave(row);
    else if (target === undefined) return;
    else {
      this.activeIndex = Math.max(0, Math.min(last, target));
      this.active = this.rows[this.activeIndex]?.id;
      this.focusNext = true;
      this.host.requestUpdate();
    }
    event.preventDefault();
  };

  private scroller(): HTMLElement | null {
    return this.host.renderRoot.querySelector<HTMLElement>(".scroller");
  }
}

const preview = ({ title, body }: Row): string => {
  const text = body.replace(/\s+/g, " ").trim().slice(0, 300);
  return text === title.trim() ? "" : text;
};

/** A sign for a row: its icon if that is a sign, else the first letter of its category on one of six tints. */
export function mark({ icon, category }: Row): TemplateResult {
  const sign = /^[\x20-\x7e]*$/.test(icon) ? (category || "?").slice(0, 1).toUpperCase() : icon;
  let sum = 0;
  for (const letter of category) sum += letter.charCodeAt(0);
  return html`<span class="mark" part="mark" data-tint=${sum % 6} aria-hidden="true">${sign}</span>`;
}
