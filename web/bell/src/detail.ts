// One notification in full: its body as HTML that the server has sanitised, its link and its buttons.
import { html, nothing, type TemplateResult } from "lit";
import type { Full } from "./inbox.js";
import { mark } from "./list.js";
import type { Row } from "./rows.js";
import type { Words } from "./strings.js";

const SAFE = /^(https?:|mailto:|\/(?![/\\]))/i;

/** `full`: undefined while it is on its way; null if there is none to be had, and the text of the row has to do. */
export function detail(row: Row, full: Full | null | undefined, words: Words): TemplateResult {
  const links = [
    ...(row.url ? [{ label: words.say("open"), url: row.url }] : []),
    ...(full?.actions ?? []).filter(({ url }) => url !== row.url),
  ].filter(({ url }) => SAFE.test(url));
  return html`<article class="pane" part="detail">
    <div class="head">
      ${mark(row)}
      <div>
        <h3 tabindex="-1" dir="auto">${row.title}</h3>
        <p class="meta"><time dir="auto" datetime=${row.createdAt}>${words.full(row.createdAt)}</time> · <span dir="auto">${row.category}</span></p>
      </div>
    </div>
    <div class="body" part="body" dir="auto" aria-busy=${full === undefined}>${content(row, full)}</div>
    ${links.length
      ? html`<p class="links">
          ${links.map(({ label, url }, at) => html`<a class=${at ? "plain" : "primary"} part="link" href=${url} rel="noopener noreferrer">${label}</a>`)}
        </p>`
      : nothing}
  </article>`;
}

function content(row: Row, full: Full | null | undefined): TemplateResult | Node {
  if (!full) return html`<p>${row.body}</p>`;
  let body = bodies.get(full);
  if (!body) {
    const template = document.createElement("template");
    template.innerHTML = full.body;
    body = document.createElement("div");
    body.append(template.content);
    bodies.set(full, body);
  }
  return body;
}

/** The same node each time, so that it stays in its place when all else is drawn anew. */
const bodies = new WeakMap<Full, HTMLElement>();
