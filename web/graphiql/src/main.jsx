import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { useGraphiQL } from '@graphiql/react';
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-ws';
import { parse as parseJSONC } from 'jsonc-parser';
import { useEffect } from 'react';
import { createRoot } from 'react-dom/client';
import './style.css';

globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    const name = { json: 'json', graphql: 'graphql' }[label] ?? 'editor';
    return new Worker(new URL(`${name}.worker.js`, import.meta.url), { type: 'module', name });
  },
};

// The page is served at the GraphQL endpoint itself.
const url = location.pathname;
const wsUrl = Object.assign(new URL(url, location.href), {
  protocol: location.protocol === 'https:' ? 'wss:' : 'ws:',
}).href;

// ---- storage: GraphiQL's own keys, but apart from any other GraphiQL on this origin ----

const prefix = `tocsin:${url}:`;
const ownKeys = () => Object.keys(localStorage).filter(key => key.startsWith(prefix));
const storage = {
  getItem: key => localStorage.getItem(prefix + key),
  setItem: (key, value) => localStorage.setItem(prefix + key, value),
  removeItem: key => localStorage.removeItem(prefix + key),
  clear: () => ownKeys().forEach(key => localStorage.removeItem(key)),
  get length() {
    return ownKeys().length;
  },
};

// ---- headers: one value for the whole page, whichever tab is open ----

const persistHeaders = storage.getItem('graphiql:shouldPersistHeaders') !== 'false';
let headersText = (persistHeaders && storage.getItem('graphiql:headers')) || '';

// A terminal can print …/graphql#token=<JWT>: it becomes the headers and leaves the address bar.
const tokenInHash = () => new URLSearchParams(location.hash.slice(1)).get('token');
const token = tokenInHash();
if (token) {
  headersText = JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2);
  history.replaceState(history.state, '', location.pathname + location.search);
}
addEventListener('hashchange', () => tokenInHash() && location.reload());

// GraphiQL restores headers, query and variables from two places (the tabs and the last edit)
// and opens one more tab when they differ: make them agree.
function alignStorage() {
  const stored = persistHeaders ? headersText : '';
  storage.setItem('graphiql:headers', stored);
  try {
    const state = JSON.parse(storage.getItem('graphiql:tabState'));
    for (const tab of state.tabs) tab.headers = stored || null;
    const active = state.tabs[state.activeTabIndex];
    storage.setItem('graphiql:tabState', JSON.stringify(state));
    storage.setItem('graphiql:query', active.query ?? '');
    storage.setItem('graphiql:variables', active.variables ?? '');
  } catch {
    for (const key of ['tabState', 'query', 'variables', 'headers']) {
      storage.removeItem(`graphiql:${key}`);
    }
  }
}
alignStorage();

function parseHeaders(text) {
  const value = parseJSONC(text, [], { allowTrailingComma: true });
  return value && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
}

function SharedHeaders() {
  const editor = useGraphiQL(state => state.headerEditor);
  useEffect(() => {
    if (!editor) return undefined;
    const show = () => editor.getValue() === headersText || editor.setValue(headersText);
    const listener = editor.onDidChangeModelContent(event => {
      const text = editor.getValue();
      const same = JSON.stringify(parseHeaders(text)) === JSON.stringify(parseHeaders(headersText));
      if (event.isFlush && !same) {
        // Another tab or a history entry brought its own copy, maybe with an old token.
        queueMicrotask(show);
      } else {
        headersText = text;
      }
    });
    show();
    return () => listener.dispose();
  }, [editor]);
  return null;
}

// ---- fetcher ----

const request = createGraphiQLFetcher({ url, enableIncrementalDelivery: false });

/** What a browser cannot send as WebSocket headers goes into connection_init. */
function connectionParams(headers) {
  const names = { authorization: 'authorization', 'x-tenant-id': 'tenantId' };
  const params = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    const param = names[name.toLowerCase()];
    if (param && value != null) params[param] = String(value);
  }
  return params;
}

/** One connection for each subscription, with the headers of the moment it starts. */
function subscribe(params, headers) {
  const values = createClient({
    url: wsUrl,
    connectionParams: connectionParams(headers),
    retryAttempts: 3,
    // The network may come back; a refusal by the server (4400 to 4499) stays one.
    shouldRetry: event => !(event?.code >= 4000),
  }).iterate(params);
  const next = values.next.bind(values);
  values.next = async () => {
    try {
      return await next();
    } catch (error) {
      if (!(error instanceof Event)) throw error;
      const why = error instanceof CloseEvent ? `${error.code} ${error.reason}`.trim() : 'no answer';
      throw [{ message: `The WebSocket connection failed: ${why}` }];
    }
  };
  return values;
}

function fetcher(params, options) {
  // The first introspection runs before the headers editor exists.
  const headers = options?.headers ?? parseHeaders(headersText);
  const operation = options?.documentAST && getOperationAST(options.documentAST, params.operationName);
  return operation?.operation === 'subscription'
    ? subscribe(params, headers)
    : request(params, { ...options, headers });
}

// ---- page ----

const welcome = `# Welcome to Tocsin's GraphQL API.
#
# It needs a token. Put it under "Headers":
#
#   { "Authorization": "Bearer <token>" }
#
# and press "Re-fetch GraphQL schema"
# (bottom left) for docs and completion.
# All tabs share the headers, and a
# subscription sends them when it connects.
#
# Ctrl-Enter runs the operation under the
# cursor, Ctrl-Space completes.

`;

/** Ready examples for a role: a file beside this one, so that they change without a new bundle. */
async function example(role) {
  const answer = await fetch(new URL(`examples/${role}.graphql`, import.meta.url));
  return answer.ok ? answer.text() : '';
}
const [ofUser, ...others] = await Promise.all(['user', 'admin', 'agent'].map(example));
const defaultTabs = [welcome + ofUser, ...others].map(query => ({ query }));

const plugins = [HISTORY_PLUGIN, explorerPlugin()];

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    plugins={plugins}
    defaultTabs={defaultTabs}
    shouldPersistHeaders
    defaultEditorToolsVisibility="headers"
  >
    <GraphiQL.Logo>Tocsin</GraphiQL.Logo>
    <SharedHeaders />
  </GraphiQL>,
);
