// A frontend that uses what the generator made of schema.graphql. It is compiled and never run: an assignment
// here fails if a field's type is not what a frontend may rely on.
import { graphql, useFragment } from './generated/index.js'
import type { NotificationFilter, Severity } from './generated/graphql.js'
import { ErrorCode, type Query } from './generated/schema.js'
import type { ResultOf, VariablesOf } from '@graphql-typed-document-node/core'

const Row = graphql(`
  fragment Row on Notification {
    id
    title(format: PLAINTEXT)
    body(format: HTML)
    severity
    url
    data
    read
    createdAt
    actions {
      label
      url
    }
  }
`)

const Inbox = graphql(`
  query Inbox($first: Int, $after: String, $filter: NotificationFilter) {
    notifications(first: $first, after: $after, filter: $filter) {
      totalCount
      unreadCount
      eventCursor
      nodes {
        ...Row
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`)

const MarkRead = graphql(`
  mutation MarkRead($ids: [ID!]!, $read: Boolean) {
    read(ids: $ids, read: $read) {
      changed
      stats {
        id
        unread
        byCategory {
          key
          unread
        }
      }
    }
  }
`)

const Live = graphql(`
  subscription Live($since: String) {
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
      ... on NotificationRemoved {
        id
      }
      ... on InboxRead {
        ids
        upToSeq
        readAt
      }
      ... on ResyncRequired {
        reason
      }
    }
  }
`)

const filter: NotificationFilter = { readState: 'UNREAD', categories: ['billing'] }
export const variables: VariablesOf<typeof Inbox> = { first: 20, filter }
export const marking: VariablesOf<typeof MarkRead> = { ids: ['a'] }

// @ts-expect-error ids are required
export const missing: VariablesOf<typeof MarkRead> = {}
// @ts-expect-error there is no such state
export const wrong: NotificationFilter = { readState: 'NEITHER' }

export function titles(data: ResultOf<typeof Inbox>): string[] {
  const rows = useFragment(Row, data.notifications?.nodes ?? [])
  return rows.map((row) => {
    const severity: Severity = row.severity
    const created: string = row.createdAt
    const link: string | null | undefined = row.url
    const payload: Record<string, unknown> | null | undefined = row.data
    return [row.title, severity, created, link, payload?.['key'], row.actions[0]?.label].join(' ')
  })
}

// A root field that failed is null and takes no sibling along.
export function badge(data: ResultOf<typeof MarkRead>): number | undefined {
  return data.read?.stats.unread
}

export function told(data: ResultOf<typeof Live>): string {
  const event = data.inboxEvents
  switch (event.__typename) {
    case 'NotificationCreated':
      return useFragment(Row, event.notification).title
    case 'NotificationUpdated':
      return event.cursor
    case 'NotificationRemoved':
      return event.id
    case 'InboxRead':
      return event.ids?.join() ?? String(event.upToSeq)
    case 'ResyncRequired':
      return event.reason
    default:
      return event satisfies never
  }
}

export type Fields = keyof Query
export const isMissing = (code: string): boolean => code === ErrorCode.NotFound
