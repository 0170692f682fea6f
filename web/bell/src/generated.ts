/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** How a notification can reach somebody. */
export type ChannelKind =
  | 'APPRISE'
  | 'EMAIL'
  | 'IN_APP'
  | 'SLACK'
  | 'WEBHOOK';

/** Whether mail waits for more. HOURLY: till the next full hour. DAILY: till a time of day. */
export type Digest =
  | 'DAILY'
  | 'HOURLY'
  | 'IMMEDIATE';

/** Whether rows of a kind are left out, let in beside the others, or wanted alone. */
export type Inclusion =
  | 'EXCLUDE'
  | 'INCLUDE'
  | 'ONLY';

/** Fields AND together; values in a list OR together, except targets: a row must carry all of them. An empty list is no restriction. Unread means not read. Only dismissed: EXCLUDE, the default, keeps dismissed rows out of a list or a count; so the badge, which is stats without a filter, never counts them. */
export type NotificationFilter = {
  /** Any of these categories. */
  categories?: Array<string> | null | undefined;
  /** Created later than this. */
  createdAfter?: string | null | undefined;
  /** Created earlier than this. */
  createdBefore?: string | null | undefined;
  /** What to do with dismissed rows. */
  dismissed?: Inclusion | null | undefined;
  /** Read, unread or all. */
  readState?: ReadState | null | undefined;
  /** All of these targets. */
  targets?: Array<string | number> | null | undefined;
  /** Any of these teams. */
  teams?: Array<string | number> | null | undefined;
  /** Any of these templates. */
  templates?: Array<string | number> | null | undefined;
  /** Types that the tenant does not know are dropped and come back in ignoredTypes; if none is left, a list shows all. */
  types?: Array<string> | null | undefined;
};

/** A preference to store: exactly one of category and template, and what it says. Of enabled, quietStart, quietEnd, timezone, digest and digestAt an omitted one keeps its stored value, and null clears it. */
export type PreferenceInput = {
  /** A category, or * for all. */
  category?: string | null | undefined;
  /** null: every channel. */
  channelKind?: ChannelKind | null | undefined;
  /** Whether mail waits for more; only where channelKind is EMAIL or null. null: no opinion. */
  digest?: Digest | null | undefined;
  /** When a DAILY digest leaves, and only with that; null: at 08:00. */
  digestAt?: string | null | undefined;
  /** null: no opinion. */
  enabled?: boolean | null | undefined;
  /** Only in this environment. */
  environmentId?: string | number | null | undefined;
  /** Only in this project. */
  projectId?: string | number | null | undefined;
  /** Quiet until this time; not equal to quietStart. */
  quietEnd?: string | null | undefined;
  /** Quiet from this time on; goes with quietEnd. */
  quietStart?: string | null | undefined;
  /** The template it is about, instead of a category. */
  template?: string | number | null | undefined;
  /** Whose wall clock; null: the recipient's. */
  timezone?: string | null | undefined;
};

/** First match wins, in this order. */
export type PreferenceLayer =
  | 'ALL_CATEGORIES'
  | 'CATEGORY'
  | 'CATEGORY_AND_CHANNEL'
  | 'ENVIRONMENT'
  | 'PROJECT'
  | 'REQUIRED_TYPE'
  | 'TEMPLATE'
  | 'TYPE_DEFAULT';

/** Which rows, by whether they were read. */
export type ReadState =
  | 'ALL'
  | 'READ'
  | 'UNREAD';

/** How much a notification matters. CRITICAL passes quiet hours. */
export type Severity =
  | 'CRITICAL'
  | 'HIGH'
  | 'LOW'
  | 'NORMAL';

export type RowFragment = { id: string, category: string, severity: Severity, icon: string, title: string, body: string, url: string | null, read: boolean, unreadSeq: number, createdAt: string };

export type PageQueryVariables = Exact<{
  first: number;
  after?: string | null | undefined;
  filter?: NotificationFilter | null | undefined;
}>;


export type PageQuery = { notifications: { eventCursor: string, unreadCount: number, nodes: Array<{ id: string, category: string, severity: Severity, icon: string, title: string, body: string, url: string | null, read: boolean, unreadSeq: number, createdAt: string }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } | null };

export type FullQueryVariables = Exact<{
  id: string | number;
}>;


export type FullQuery = { notification: { id: string, body: string, actions: Array<{ label: string, url: string }> } | null };

export type BadgeSubscriptionVariables = Exact<{ [key: string]: never; }>;


export type BadgeSubscription = { stats: { unread: number } };

export type EventsSubscriptionVariables = Exact<{
  since: string;
}>;


export type EventsSubscription = { inboxEvents:
    | { __typename: 'InboxRead', ids: Array<string> | null, upToSeq: number, cursor: string, stats: { unread: number } }
    | { __typename: 'NotificationCreated', cursor: string, notification: { id: string, category: string, severity: Severity, icon: string, title: string, body: string, url: string | null, read: boolean, unreadSeq: number, createdAt: string }, stats: { unread: number } }
    | { __typename: 'NotificationRemoved', id: string, cursor: string, stats: { unread: number } }
    | { __typename: 'NotificationUpdated', cursor: string, notification: { id: string, category: string, severity: Severity, icon: string, title: string, body: string, url: string | null, read: boolean, unreadSeq: number, createdAt: string }, stats: { unread: number } }
    | { __typename: 'ResyncRequired', cursor: string, stats: { unread: number } }
   };

export type MarkReadMutationVariables = Exact<{
  ids: Array<string | number> | string | number;
  read: boolean;
}>;


export type MarkReadMutation = { read: { notifications: Array<{ id: string, category: string, severity: Severity, icon: string, title: string, body: string, url: string | null, read: boolean, unreadSeq: number, createdAt: string }> } | null };

export type DismissMutationVariables = Exact<{
  ids: Array<string | number> | string | number;
}>;


export type DismissMutation = { dismiss: { changed: number } | null };

export type MarkAllReadMutationVariables = Exact<{
  upTo: string;
}>;


export type MarkAllReadMutation = { markAllRead: { marked: number } | null };

export type PreferencesQueryVariables = Exact<{ [key: string]: never; }>;


export type PreferencesQuery = { effectivePreferences: Array<{ category: string, channelKind: ChannelKind, enabled: boolean, decidedBy: PreferenceLayer, template: { id: string } | null }> | null, preferences: Array<{ channelKind: ChannelKind | null, projectId: string | null, environmentId: string | null, quietStart: string | null, quietEnd: string | null, timezone: string | null }> | null, channels: { nodes: Array<{ kind: ChannelKind }> } | null };

export type SavePreferenceMutationVariables = Exact<{
  preference: PreferenceInput;
}>;


export type SavePreferenceMutation = { updatePreferences: Array<{ id: string }> | null };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}
export const RowFragmentDoc = new TypedDocumentString(`
    fragment Row on Notification {
  id
  category
  severity
  icon
  title(format: PLAINTEXT)
  body(format: PLAINTEXT)
  url
  read
  unreadSeq
  createdAt
}
    `, {"fragmentName":"Row"}) as unknown as TypedDocumentString<RowFragment, unknown>;
export const PageDocument = new TypedDocumentString(`
    query Page($first: Int!, $after: String, $filter: NotificationFilter) {
  notifications(first: $first, after: $after, filter: $filter) {
    eventCursor
    unreadCount
    nodes {
      ...Row
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    fragment Row on Notification {
  id
  category
  severity
  icon
  title(format: PLAINTEXT)
  body(format: PLAINTEXT)
  url
  read
  unreadSeq
  createdAt
}`) as unknown as TypedDocumentString<PageQuery, PageQueryVariables>;
export const FullDocument = new TypedDocumentString(`
    query Full($id: ID!) {
  notification(id: $id) {
    id
    body(format: HTML)
    actions {
      label
      url
    }
  }
}
    `) as unknown as TypedDocumentString<FullQuery, FullQueryVariables>;
export const BadgeDocument = new TypedDocumentString(`
    subscription Badge {
  stats {
    unread
  }
}
    `) as unknown as TypedDocumentString<BadgeSubscription, BadgeSubscriptionVariables>;
export const EventsDocument = new TypedDocumentString(`
    subscription Events($since: String!) {
  inboxEvents(since: $since) {
    __typename
    cursor
    stats {
      unread
    }
    ... on NotificationCreated {
      notification {
        ...Row
      }
    }
    ... on NotificationUpdated {
      notification {
        ...Row
      }
    }
    ... on NotificationRemoved {
      id
    }
    ... on InboxRead {
      ids
      upToSeq
    }
  }
}
    fragment Row on Notification {
  id
  category
  severity
  icon
  title(format: PLAINTEXT)
  body(format: PLAINTEXT)
  url
  read
  unreadSeq
  createdAt
}`) as unknown as TypedDocumentString<EventsSubscription, EventsSubscriptionVariables>;
export const MarkReadDocument = new TypedDocumentString(`
    mutation MarkRead($ids: [ID!]!, $read: Boolean!) {
  read(ids: $ids, read: $read) {
    notifications {
      ...Row
    }
  }
}
    fragment Row on Notification {
  id
  category
  severity
  icon
  title(format: PLAINTEXT)
  body(format: PLAINTEXT)
  url
  read
  unreadSeq
  createdAt
}`) as unknown as TypedDocumentString<MarkReadMutation, MarkReadMutationVariables>;
export const DismissDocument = new TypedDocumentString(`
    mutation Dismiss($ids: [ID!]!) {
  dismiss(ids: $ids) {
    changed
  }
}
    `) as unknown as TypedDocumentString<DismissMutation, DismissMutationVariables>;
export const MarkAllReadDocument = new TypedDocumentString(`
    mutation MarkAllRead($upTo: String!) {
  markAllRead(upTo: $upTo) {
    marked
  }
}
    `) as unknown as TypedDocumentString<MarkAllReadMutation, MarkAllReadMutationVariables>;
export const PreferencesDocument = new TypedDocumentString(`
    query Preferences {
  effectivePreferences {
    category
    channelKind
    enabled
    decidedBy
    template {
      id
    }
  }
  preferences(category: "*") {
    channelKind
    projectId
    environmentId
    quietStart
    quietEnd
    timezone
  }
  channels(first: 50) {
    nodes {
      kind
    }
  }
}
    `) as unknown as TypedDocumentString<PreferencesQuery, PreferencesQueryVariables>;
export const SavePreferenceDocument = new TypedDocumentString(`
    mutation SavePreference($preference: PreferenceInput!) {
  updatePreferences(preferences: [$preference]) {
    id
  }
}
    `) as unknown as TypedDocumentString<SavePreferenceMutation, SavePreferenceMutationVariables>;