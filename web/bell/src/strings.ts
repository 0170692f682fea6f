// Every word on the screen, in English, and how words are put together for the language of the page.

/** A text, or one for each plural category of the language (Intl.PluralRules). `{name}` stands for a value. */
export type Text = string | Partial<Record<Intl.LDMLPluralRule, string>>;

export const ENGLISH = {
  notifications: "Notifications",
  unreadCount: { one: "{count} unread notification", other: "{count} unread notifications" } as Text,
  noneUnread: "No unread notifications",
  all: "All",
  unread: "Unread",
  filter: "Show",
  markAllRead: "Mark all as read",
  markRead: "Mark as read",
  markUnread: "Mark as unread",
  dismiss: "Dismiss",
  about: "{action}: {title}",
  arrived: "New notification: {title}",
  preferences: "Preferences",
  back: "Back to the list",
  close: "Close",
  open: "Open",
  loading: "Loading",
  empty: "Nothing here yet",
  emptyHint: "What happens will show up here.",
  allRead: "All caught up",
  allReadHint: "Nothing is unread.",
  failed: "This could not be loaded.",
  retry: "Try again",
  undone: "That could not be saved, and was undone.",
  connecting: "No connection. This is what was last known.",
  expired: "Your session has ended. Sign in again to go on.",
  refused: "You no longer have access.",
  delivery: "What reaches you, and where",
  category: "Category",
  always: "Always on",
  IN_APP: "Inbox",
  EMAIL: "Email",
  SLACK: "Slack",
  WEBHOOK: "Webhook",
  APPRISE: "Other",
  quietHours: "Quiet hours",
  quietHint: "Messages wait until they end. The inbox does not, and what is critical does not wait.",
  quietFrom: "From",
  quietUntil: "Until",
  timeZone: "Time zone",
  quietEqual: "The two times must differ.",
};

export type Strings = typeof ENGLISH;
export type Name = keyof Strings;

/** Words and dates in one language. */
export class Words {
  private readonly plurals: Intl.PluralRules;
  private readonly numbers: Intl.NumberFormat;
  private readonly ago: Intl.RelativeTimeFormat;
  private readonly dates: Intl.DateTimeFormat;

  constructor(
    private readonly strings: Partial<Strings>,
    readonly language: string,
  ) {
    this.plurals = new Intl.PluralRules(language);
    this.numbers = new Intl.NumberFormat(language);
    this.ago = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
    this.dates = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  }

  say(name: Name, values: Record<string, string | number> = {}): string {
    const text = this.strings[name] ?? ENGLISH[name];
    const count = values["count"];
    const chosen = typeof text === "string" ? text : (text[this.plurals.select(Number(count))] ?? text.other ?? "");
    return chosen.replace(/\{(\w+)\}/g, (_, key: string) => {
      const value = values[key];
      return typeof value === "number" ? this.numbers.format(value) : String(value ?? "");
    });
  }

  /** The number of a badge: at most two digits. */
  short(count: number): string {
    return count > 99 ? `${this.numbers.format(99)}+` : this.numbers.format(count);
  }

  /** A moment as people say it: "5 min. ago", and a date after a week. */
  since(moment: string): string {
    const seconds = (new Date(moment).getTime() - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, size]) => -seconds >= size) ?? ["second", 1];
    if (seconds < -7 * 86_400) return new Intl.DateTimeFormat(this.language, { dateStyle: "medium" }).format(new Date(moment));
    return this.ago.format(unit === "second" ? 0 : Math.ceil(seconds / size), unit);
  }

  full(moment: string): string {
    return this.dates.format(new Date(moment));
  }
}

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** A language that Intl knows: the nearest `lang`, else the browser's, else English. */
export function languageOf(element: Element): string {
  const host = element.getRootNode();
  const near = element.closest("[lang]") ?? (host instanceof ShadowRoot ? host.host.closest("[lang]") : null);
  const wanted = [near?.getAttribute("lang"), navigator.language, "en"].filter((it): it is string => !!it);
  return wanted.find((it) => {
    try {
      return Intl.getCanonicalLocales(it).length > 0;
    } catch {
      return false;
    }
  })!;
}
