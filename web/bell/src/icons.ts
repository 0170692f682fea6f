// Line drawings of 24 by 24, drawn in the colour of the text.
import { svg, type SVGTemplateResult } from "lit";
import { html, type TemplateResult } from "lit";

const icon = (shape: SVGTemplateResult): TemplateResult =>
  html`<svg viewBox="0 0 24 24" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round">${shape}</svg>`;

export const bell = icon(svg`<path d="M6 9a6 6 0 0 1 12 0c0 6 2 7.5 2.5 8h-17c.5-.5 2.5-2 2.5-8ZM10 20.5a2.2 2.2 0 0 0 4 0"/>`);
export const gear = icon(svg`<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`);
export const close = icon(svg`<path d="m6 6 12 12M18 6 6 18"/>`);
export const back = icon(svg`<path d="M19 12H5m6-6-6 6 6 6"/>`);
export const check = icon(svg`<path d="m5 12.5 4.5 4.5L19 7.5"/>`);
export const checks = icon(svg`<path d="m2.5 12.5 4.5 4.5L16 8M12 16.5l.5.5L21.500 8"/>`);
export const dot = icon(svg`<circle cx="12" cy="12" r="4.500" fill="currentColor"/>`);
export const archive = icon(svg`<path d="M4 4h16v4H4zM6 8v12h12V8M10 12h4"/>`);
