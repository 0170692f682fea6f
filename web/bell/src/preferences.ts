// The panel of preferences: a switch for each category on each channel, and the quiet hours.
import { html, nothing, type TemplateResult } from "lit";
import { ask, Failure } from "./api.js";
import { type ChannelKind, type PreferenceInput, PreferencesDocument, type PreferencesQuery, SavePreferenceDocument } from "./generated.js";
import type { Session } from "./session.js";
import type { Words } from "./strings.js";

type Effective = NonNullable<PreferencesQuery["effectivePreferences"]>[number];
type Quiet = { quietStart: string | null; quietEnd: string | null; timezone: string | null };
type Known = { effective: readonly Effective[]; quiet: Quiet; kinds: readonly ChannelKind[] };

const NO_QUIET: Quiet = { quietStart: null, quietEnd: null, timezone: null };
const NIGHT = { quietStart: "22:00", quietEnd: "07:00" };
const KINDS: readonly ChannelKind[] = ["IN_APP", "EMAIL", "SLACK", "WEBHOOK", "APPRISE"];

export class Preferences {
  private known: Known | undefined;
  private failure: Failure | undefined;
  private equal = false;
  private saves: Promise<void> = Promise.resolve();

  constructor(
    private readonly session: Session,
    private readonly changed: () => void,
    private readonly undone: (failure: Failure) => void,
  ) {}

  async load(): Promise<void> {
    this.failure = undefined;
    try {
      const { effectivePreferences, preferences, channels } = await ask(this.session, PreferencesDocument, {});
      const stored = preferences?.find((it) => !it.channelKind && !it.projectId && !it.environmentId);
      const kinds = new Set<ChannelKind>(["IN_APP", ...(channels?.nodes ?? []).map(({ kind }) => kind)]);
      this.known = {
        effective: (effectivePreferences ?? []).filter(({ template }) => !template),
        quiet: { ...NO_QUIET, ...stored },
        kinds: KINDS.filter((kind) => kinds.has(kind)),
      };
    } catch (error) {
      this.failure = error instanceof Failure ? error : new Failure("UNKNOWN", String(error));
    }
    this.changed();
  }

  render(words: Words): TemplateResult {
    if (this.failure)
      return html`<div class="empty" role="alert">
        <p>${words.say("failed")}</p>
        <button class="plain" @click=${() => void this.load()}>${words.say("retry")}</button>
      </div>`;
    if (!this.known) return html`<p class="empty" role="status">${words.say("loading")}</p>`;
    return html`<div class="pane" part="preferences">${this.table(this.known, words)}${this.quiet(this.known.quiet, words)}</div>`;
  }

  private table({ effective, kinds }: Known, words: Words): TemplateResult {
    const categories = [...new Set(effective.map(({ category }) => category))].sort((one, other) =>
      one.localeCompare(other, words.language),
    );
    return html`<table>
      <caption>${words.say("delivery")}</caption>
      <thead>
        <tr>
          <th scope="col"><span class="sr">${words.say("category")}</span></th>
          ${kinds.map((kind) => html`<th scope="col">${words.say(kind as "EMAIL")}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${categories.map(
          (category) =>
            html`<tr>
              <th scope="row" dir="auto">${category}</th>
              ${kinds.map((kind) => html`<td>${this.switch(effective, category, kind, words)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>`;
  }

  private switch(effective: readonly Effective[], category: string, kind: ChannelKind, words: Words): TemplateResult {
    const those = effective.filter((it) => it.category === category && it.channelKind === kind);
    const locked = those.every(({ decidedBy }) => decidedBy === "REQUIRED_TYPE");
    const on = those.some(({ enabled }) => enabled);
    const mixed = on && !those.every(({ enabled }) => enabled);
    return html`<input
      type="checkbox"
      role="switch"
      part="switch"
      aria-label="${category}, ${words.say(kind as "EMAIL")}"
      title=${locked ? words.say("always") : nothing}
      ?disabled=${locked}
      .indeterminate=${mixed}
      .checked=${on}
      @change=${(event: Event) => this.choose(category, kind, (event.target as HTMLInputElement).checked)}
    />`;
  }

  private quiet(quiet: Quiet, words: Words): TemplateResult {
    const on = quiet.quietStart !== null;
    return html`<fieldset>
      <legend class="sr">${words.say("quietHours")}</legend>
      <label class="line">
        <span>${words.say("quietHours")}</span>
        <input type="checkbox" role="switch" part="switch" aria-describedby="quiet-hint" .checked=${on} @change=${() => this.toggleQuiet()} />
      </label>
      <p class="hint" id="quiet-hint">${words.say("quietHint")}</p>
      ${on ? this.hours(quiet, words) : nothing}
    </fieldset>`;
  }

  private hours(quiet: Quiet, words: Words): TemplateResult {
    const set = (name: keyof Quiet) => (event: Event) => this.setQuiet({ [name]: (event.target as HTMLInputElement).value });
    const time = (name: "quietStart" | "quietEnd", label: string): TemplateResult =>
      html`<label>
        <span>${label}</span>
        <input
          type="time"
          required
          aria-invalid=${this.equal}
          aria-describedby=${this.equal ? "quiet-equal" : nothing}
          .value=${quiet[name]?.slice(0, 5) ?? ""}
          @change=${set(name)}
        />
      </label>`;
    const zone = quiet.timezone ?? HERE;
    return html`<div class="hours">
        ${time("quietStart", words.say("quietFrom"))} ${time("quietEnd", words.say("quietUntil"))}
        <label class="zone">
          <span>${words.say("timeZone")}</span>
          <select @change=${set("timezone")}>
            ${zones(zone).map((it) => html`<option value=${it} ?selected=${it === zone}>${it.replaceAll("_", " ")}</option>`)}
          </select>
        </label>
      </div>
      ${this.equal ? html`<p class="error" id="quiet-equal" role="alert">${words.say("quietEqual")}</p>` : nothing}`;
  }

  private choose(category: string, channelKind: ChannelKind, enabled: boolean): void {
    const concerns = (it: Effective): boolean =>
      it.category === category && it.channelKind === channelKind && it.decidedBy !== "REQUIRED_TYPE";
    const set = (known: Known): Known => ({
      ...known,
      effective: known.effective.map((it) => (concerns(it) ? { ...it, enabled } : it)),
    });
    this.save(set, { category, channelKind, enabled });
  }

  private toggleQuiet(): void {
    this.equal = false;
    const on = this.known?.quiet.quietStart !== null;
    this.saveQuiet(on ? NO_QUIET : { ...NIGHT, timezone: HERE });
  }

  private setQuiet(change: Partial<Quiet>): void {
    if (!this.known || Object.values(change).includes("")) return;
    const quiet = { ...this.known.quiet, ...change };
    this.equal = quiet.quietStart?.slice(0, 5) === quiet.quietEnd?.slice(0, 5);
    if (!this.equal) return this.saveQuiet({ ...quiet, timezone: quiet.timezone ?? HERE });
    this.known = { ...this.known, quiet };
    this.changed();
  }

  private saveQuiet({ quietStart, quietEnd, timezone }: Quiet): void {
    const quiet = { quietStart, quietEnd, timezone };
    this.save((known) => ({ ...known, quiet }), { category: "*", ...quiet });
  }

  /** Shows a change at once and sends it after those before it; if it is refused, what is stored is read again. */
  private save(change: (known: Known) => Known, preference: PreferenceInput): void {
    if (!this.known) return;
    this.known = change(this.known);
    this.changed();
    this.saves = this.saves
      .then(async () => void (await ask(this.session, SavePreferenceDocument, { preference })))
      .catch(async (error: unknown) => {
        this.undone(error instanceof Failure ? error : new Failure("UNKNOWN", String(error)));
        await this.load();
      });
  }
}

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const zones = (chosen: string): string[] => [...new Set([chosen, HERE, "UTC", ...Intl.supportedValuesOf("timeZone")])];
