// How it looks. Colours follow the color-scheme of the page; each is a variable that the page may set.
import { css } from "lit";

export const styles = css`
  :host {
    --bg: var(--tocsin-background, light-dark(#ffffff, #1b1c20));
    --fg: var(--tocsin-text, light-dark(#1c1d21, #ececf0));
    --soft: var(--tocsin-text-soft, light-dark(#5b5e69, #a7abb8));
    --line: var(--tocsin-line, light-dark(#e5e6eb, #32343c));
    --hover: var(--tocsin-hover, light-dark(#f4f5f8, #25272d));
    --accent: var(--tocsin-accent, light-dark(#3b5bdb, #93a8ff));
    --on-accent: var(--tocsin-on-accent, light-dark(#ffffff, #14162b));
    --badge: var(--tocsin-badge, light-dark(#d6293e, #ff8a94));
    --on-badge: var(--tocsin-on-badge, light-dark(#ffffff, #2c070b));
    --radius: var(--tocsin-radius, 0.75rem);
    --row: var(--tocsin-row-height, 5.25rem);
    display: inline-block;
    position: relative;
    inline-size: 2.75rem;
    block-size: 2.75rem;
    vertical-align: middle;
    color: inherit;
    font-family: var(--tocsin-font, inherit);
    line-height: 1.4;
    text-align: start;
  }
  :host([hidden]) {
    display: none;
  }
  :host([theme="light"]) {
    color-scheme: light;
  }
  :host([theme="dark"]) {
    color-scheme: dark;
  }
  * {
    box-sizing: border-box;
  }
  button,
  select,
  input {
    font: inherit;
    color: inherit;
  }
  button {
    margin: 0;
    padding: 0;
    border: 0;
    background: none;
    cursor: pointer;
    text-align: start;
  }
  button:disabled,
  button[aria-disabled="true"] {
    opacity: 0.4;
    cursor: default;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: -2px;
  }
  svg {
    display: block;
    inline-size: 1.25rem;
    block-size: 1.25rem;
  }
  .sr {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
  p,
  h2,
  h3,
  ul {
    margin: 0;
    padding: 0;
  }

  /* the bell */
  .bell {
    display: grid;
    place-items: center;
    inline-size: 100%;
    block-size: 100%;
    border-radius: var(--radius);
  }
  .bell:hover {
    background: color-mix(in srgb, currentColor 10%, transparent);
  }
  .bell:focus-visible {
    outline-color: currentColor;
  }
  .bell svg {
    inline-size: 1.5rem;
    block-size: 1.5rem;
  }
  .badge {
    position: absolute;
    inset-block-start: 0.15rem;
    inset-inline-start: 1.4rem;
    min-inline-size: 1.15rem;
    padding-inline: 0.25rem;
    border-radius: 1rem;
    background: var(--badge);
    color: var(--on-badge);
    font: 600 0.7rem/1.15rem system-ui, sans-serif;
    text-align: center;
    font-variant-numeric: tabular-nums;
    pointer-events: none;
  }

  /* the panel */
  #panel {
    position: fixed;
    inset: auto;
    margin: 0;
    padding: 0;
    inline-size: min(26rem, calc(100vw - 1rem));
    block-size: 38rem;
    max-block-size: calc(100dvh - 1rem);
    border: 1px solid var(--line);
    border-radius: var(--radius);
    background: var(--bg);
    color: var(--fg);
    box-shadow: 0 0.75rem 2.5rem rgb(0 0 0 / 18%), 0 0.125rem 0.5rem rgb(0 0 0 / 8%);
    font-size: 0.9375rem;
    overflow: hidden;
    overscroll-behavior: contain;
  }
  #panel:popover-open {
    display: flex;
    flex-direction: column;
  }
  #panel:focus {
    outline: none;
  }
  header {
    display: flex;
    align-items: center;
    gap: 0.25rem;
    padding: 0.625rem 0.625rem 0.5rem 1rem;
  }
  header:dir(rtl) {
    padding: 0.625rem 1rem 0.5rem 0.625rem;
  }
  header.sub {
    padding-inline: 0.625rem;
  }
  h2 {
    flex: 1;
    font-size: 1.0625rem;
    font-weight: 650;
  }
  .icon {
    display: grid;
    place-items: center;
    inline-size: 2.125rem;
    block-size: 2.125rem;
    border-radius: 0.5rem;
    color: var(--soft);
  }
  .icon:hover:enabled {
    background: var(--hover);
    color: var(--fg);
  }
  .back svg:dir(rtl) {
    transform: scaleX(-1);
  }
  .bar {
    display: flex;
    align-items: center;
    justify-content: space-between;
    gap: 0.5rem;
    padding: 0 0.625rem 0.625rem 1rem;
    border-block-end: 1px solid var(--line);
  }
  .bar:dir(rtl) {
    padding-inline: 1rem 0.625rem;
  }
  .filters {
    display: flex;
    gap: 0.125rem;
    padding: 0.1875rem;
    border-radius: 0.625rem;
    background: var(--hover);
  }
  .filters button {
    padding: 0.1875rem 0.75rem;
    min-block-size: 1.625rem;
    border-radius: 0.4375rem;
    font-size: 0.875rem;
    color: var(--soft);
  }
  .filters [aria-pressed="true"] {
    background: var(--bg);
    color: var(--fg);
    font-weight: 550;
    box-shadow: 0 0 0 1px var(--line);
  }
  .plain {
    display: inline-flex;
    align-items: center;
    gap: 0.375rem;
    min-block-size: 2rem;
    padding-inline: 0.5rem;
    border-radius: 0.5rem;
    color: var(--accent);
    font-size: 0.875rem;
    text-decoration: none;
  }
  .plain:hover:enabled,
  a.plain:hover {
    background: var(--hover);
  }
  .primary {
    display: inline-flex;
    align-items: center;
    min-block-size: 2.25rem;
    padding-inline: 0.875rem;
    border-radius: 0.5rem;
    background: var(--accent);
    color: var(--on-accent);
    font-weight: 550;
    text-decoration: none;
  }
  .primary:focus-visible {
    outline-offset: 2px;
  }
  .notice {
    padding: 0.5rem 1rem;
    border-block-end: 1px solid var(--line);
    background: var(--hover);
    color: var(--fg);
    font-size: 0.875rem;
  }
  .notice[role="alert"] {
    box-shadow: inset 0.1875rem 0 var(--badge);
  }

  /* the list */
  .scroller {
    position: relative;
    flex: 1;
    min-block-size: 0;
    overflow-y: auto;
    overflow-anchor: none;
    overscroll-behavior: contain;
    scrollbar-width: thin;
    scrollbar-color: var(--line) transparent;
  }
  ul {
    position: relative;
    list-style: none;
  }
  li {
    position: absolute;
    inset-block-start: 0;
    inset-inline: 0;
    block-size: var(--row);
    border-block-end: 1px solid var(--line);
    contain: layout paint style;
  }
  .row {
    display: flex;
    gap: 0.75rem;
    align-items: flex-start;
    inline-size: 100%;
    block-size: 100%;
    padding: 0.6875rem 1rem;
    overflow: hidden;
  }
  li:hover,
  li:focus-within {
    background: var(--hover);
  }
  .mark {
    flex: none;
    display: grid;
    place-items: center;
    inline-size: 2.25rem;
    block-size: 2.25rem;
    border-radius: 0.625rem;
    font-weight: 600;
    --tint: light-dark(#3b5bdb, #93a8ff);
    background: color-mix(in srgb, var(--tint) 14%, var(--bg));
    color: color-mix(in srgb, var(--tint) 75%, var(--fg));
  }
  [data-tint="1"] {
    --tint: light-dark(#0b7285, #66d9e8);
  }
  [data-tint="2"] {
    --tint: light-dark(#2b8a3e, #8ce99a);
  }
  [data-tint="3"] {
    --tint: light-dark(#a8590a, #ffc078);
  }
  [data-tint="4"] {
    --tint: light-dark(#a61e6e, #faa2c1);
  }
  [data-tint="5"] {
    --tint: light-dark(#6741d9, #b197fc);
  }
  .text {
    flex: 1;
    min-inline-size: 0;
    display: grid;
    gap: 0.0625rem;
  }
  .title,
  .preview {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .title.long {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: 2;
    white-space: normal;
    overflow-wrap: anywhere;
  }
  .preview,
  .meta {
    color: var(--soft);
    font-size: 0.8125rem;
  }
  .unread .title {
    font-weight: 600;
  }
  .read .title {
    color: var(--soft);
  }
  .unread .row::before {
    content: "";
    position: absolute;
    inset-inline-start: 0.3125rem;
    inset-block-start: 1.5rem;
    inline-size: 0.4375rem;
    block-size: 0.4375rem;
    border-radius: 50%;
    background: var(--accent);
  }
  [data-severity="HIGH"] .row::before,
  [data-severity="CRITICAL"] .row::before {
    background: var(--badge);
  }
  .actions {
    position: absolute;
    inset-block-end: 0.25rem;
    inset-inline-end: 0.625rem;
    display: flex;
    gap: 0.125rem;
    border-radius: 0.5rem;
    background: var(--hover);
    opacity: 0;
  }
  li:hover .actions,
  li:focus-within .actions {
    opacity: 1;
  }
  .actions .icon {
    inline-size: 1.75rem;
    block-size: 1.75rem;
  }
  .actions .icon:hover:enabled {
    background: var(--line);
  }
  @media (hover: none) {
    .actions {
      opacity: 1;
      background: none;
    }
  }
  .skeleton {
    flex: 1;
    overflow: hidden;
  }
  .skeleton div {
    block-size: var(--row);
    border-block-end: 1px solid var(--line);
    background: linear-gradient(var(--hover) 0 0) 4rem 1rem / 55% 0.75rem no-repeat,
      linear-gradient(var(--hover) 0 0) 4rem 2.25rem / 35% 0.625rem no-repeat,
      linear-gradient(var(--hover) 0 0) 1rem 0.75rem / 2.25rem 2.25rem no-repeat;
  }
  .empty {
    flex: 1;
    display: grid;
    place-content: center;
    justify-items: center;
    gap: 0.25rem;
    padding: 2rem;
    color: var(--soft);
    text-align: center;
  }
  .empty svg {
    inline-size: 2.25rem;
    block-size: 2.25rem;
    margin-block-end: 0.5rem;
  }
  .empty strong {
    color: var(--fg);
    font-weight: 600;
  }

  /* one notification, and the preferences */
  .pane {
    flex: 1;
    min-block-size: 0;
    overflow-y: auto;
    padding: 1rem;
    border-block-start: 1px solid var(--line);
  }
  .head {
    display: flex;
    gap: 0.75rem;
  }
  h3 {
    font-size: 1rem;
    font-weight: 650;
    overflow-wrap: anywhere;
  }
  h3:focus {
    outline: none;
  }
  .body {
    margin-block: 1rem;
    overflow-wrap: anywhere;
  }
  .body a {
    color: var(--accent);
  }
  .body img {
    max-inline-size: 100%;
  }
  .body pre {
    white-space: pre-wrap;
    font-size: 0.8125rem;
  }
  .links {
    display: flex;
    flex-wrap: wrap;
    gap: 0.5rem;
  }
  table {
    inline-size: 100%;
    border-collapse: collapse;
  }
  caption {
    padding-block-end: 0.5rem;
    font-weight: 600;
    text-align: start;
  }
  thead th {
    color: var(--soft);
    font-size: 0.8125rem;
    font-weight: 500;
  }
  th,
  td {
    padding-block: 0.5rem;
    border-block-end: 1px solid var(--line);
    text-align: center;
  }
  tbody th {
    font-weight: 400;
    text-align: start;
    overflow-wrap: anywhere;
  }
  [role="switch"] {
    appearance: none;
    position: relative;
    inline-size: 2.5rem;
    block-size: 1.5rem;
    margin: 0;
    border-radius: 1rem;
    background: light-dark(#8a8d98, #6b6f7c);
    vertical-align: middle;
    cursor: pointer;
  }
  [role="switch"]::before {
    content: "";
    position: absolute;
    inset: 0.1875rem auto auto 0.1875rem;
    inset-inline: 0.1875rem auto;
    inline-size: 1.125rem;
    block-size: 1.125rem;
    border-radius: 50%;
    background: #fff;
  }
  [role="switch"]:checked {
    background: var(--accent);
  }
  [role="switch"]:checked::before {
    background: var(--on-accent);
    inset-inline: auto 0.1875rem;
  }
  [role="switch"]:indeterminate::before {
    inset-inline: 0.6875rem auto;
  }
  [role="switch"]:focus-visible {
    outline-offset: 2px;
  }
  [role="switch"]:disabled {
    opacity: 0.5;
    cursor: default;
  }
  fieldset {
    margin: 1.25rem 0 0;
    padding: 0;
    border: 0;
  }
  .line {
    display: flex;
    align-items: center;
    justify-content: space-between;
    font-weight: 600;
  }
  .hint {
    margin-block: 0.25rem 0.75rem;
    color: var(--soft);
    font-size: 0.8125rem;
  }
  .hours {
    display: grid;
    grid-template-columns: 1fr 1fr;
    gap: 0.75rem;
  }
  .hours span {
    display: block;
    color: var(--soft);
    font-size: 0.8125rem;
  }
  .zone {
    grid-column: 1 / -1;
  }
  .hours input,
  .hours select {
    inline-size: 100%;
    min-block-size: 2.25rem;
    padding-inline: 0.5rem;
    border: 1px solid light-dark(#8a8d98, #6b6f7c);
    border-radius: 0.5rem;
    background: var(--bg);
  }
  .error {
    margin-block-start: 0.5rem;
    color: var(--badge);
    font-size: 0.875rem;
  }

  @media (prefers-reduced-motion: no-preference) {
    [role="switch"]::before {
      transition: translate 0.12s;
    }
    .actions {
      transition: opacity 0.1s;
    }
    .badge.moved {
      animation: pop 0.25s ease-out;
    }
    @keyframes pop {
      from {
        transform: scale(0.6);
      }
    }
  }
  @media (forced-colors: active) {
    .badge,
    #panel {
      border: 1px solid;
    }
    .unread .row::before {
      background: Highlight;
    }
  }
`;
