// Builds ../../tocsin/graphiql: index.html and assets/. The same lock file gives the same bytes.
import { build } from 'esbuild';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = path => fileURLToPath(new URL(path, import.meta.url));
const out = here('../../tocsin/graphiql/');
const assets = `${out}assets/`;

const swaps = [
  [/\/edcore\.main\.js$/, 'src/monaco.js'],
  [/\/(diffEditorWidget|multiDiffEditorWidget)\.js$/, 'src/no-diff.js'],
  [/^framer-motion$/, 'src/reorder.jsx'],
  [/^prettier\/standalone$/, 'src/prettier.js'],
  [/^real-prettier$/, 'node_modules/prettier/standalone.mjs'],
  [/^prettier\/(parser-|plugins\/)graphql$/, 'node_modules/prettier/plugins/graphql.mjs'],
  [/^prettier\/(parser-babel|plugins\/estree)$/, 'src/none.js'],
  // One copy of graphql: its ES modules, also for the one package that requires it.
  [/^graphql$/, 'node_modules/graphql/index.mjs'],
];
const swap = {
  name: 'swap',
  setup({ onResolve }) {
    for (const [filter, path] of swaps) onResolve({ filter }, () => ({ path: here(path) }));
  },
};

const common = {
  absWorkingDir: here('.'),
  bundle: true,
  format: 'esm',
  minify: true,
  charset: 'utf8',
  target: 'es2022',
  outdir: assets,
  legalComments: 'external',
  metafile: true,
  define: { 'process.env.NODE_ENV': '"production"', 'process.env.USE_IMPORT': '"true"' },
  logLevel: 'warning',
};

rmSync(assets, { recursive: true, force: true });
mkdirSync(assets, { recursive: true });

const results = [
  await build({
    ...common,
    entryPoints: { main: 'src/main.jsx' },
    jsx: 'automatic',
    loader: { '.ttf': 'file' },
    assetNames: '[name]',
    plugins: [swap],
  }),
  await build({
    ...common,
    entryPoints: {
      'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
      'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
      'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
    },
    // What the three share is one more file, 'worker.js'.
    splitting: true,
    chunkNames: 'worker',
    external: ['prettier/*'], // only for Monaco's own "Format Document", which main.js leaves out
  }),
];

cpSync(here('public/index.html'), `${out}index.html`);
cpSync(here('public/favicon.svg'), `${assets}favicon.svg`);
cpSync(here('examples'), `${assets}examples`, { recursive: true });

// ---- LICENSES.txt: every package in the bundles, its comments and its licence ----

const read = path => readFileSync(path, 'utf8').replace(/\r\n?/g, '\n').trim();
const packages = new Map();
for (const { metafile } of results) {
  for (const output of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
      const dir = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
      if (!dir || !bytesInOutput) continue;
      const { name, version, license } = JSON.parse(readFileSync(here(`${dir}/package.json`)));
      packages.set(`${name} ${version}`, { dir: here(dir), license });
    }
  }
}
const texts = new Map();
const names = [...packages.keys()].sort();
for (const name of names) {
  const { dir } = packages.get(name);
  const file = readdirSync(dir).find(entry => /^licen[cs]e/i.test(entry));
  const text = file && read(`${dir}/${file}`);
  if (text) texts.set(text, [...(texts.get(text) ?? []), name]);
}
const notices = read(here('node_modules/monaco-editor/ThirdPartyNotices.txt'));
for (const part of ['nodejs path library', 'markedjs']) {
  const [, text] = new RegExp(`%% ${part}.*\n=*\n([^]*?)\n=*\nEND OF ${part}`).exec(notices);
  texts.set(text.trim(), [`${part} (in monaco-editor)`]);
}
const comments = readdirSync(assets)
  .filter(name => name.endsWith('.LEGAL.txt'))
  .sort()
  .map(name => {
    const text = read(assets + name);
    rmSync(assets + name);
    return `${name.replace('.LEGAL.txt', '')}: ${text}`;
  });
const intro = `The files in this directory are built from web/graphiql and contain, besides Tocsin's own few lines:

${names.map(name => `  ${name} (${packages.get(name).license})`).join('\n')}
  codicon.ttf, from monaco-editor: Codicons by Microsoft (CC BY 4.0)

Packages without a licence text of their own state the licence in their package.json. Prettier lists
what it bundles in its THIRD-PARTY-NOTICES.md.`;
const licences = [...texts].map(([text, of]) => `${of.join(', ')}\n\n${text}`);
const rule = `\n\n${'-'.repeat(80)}\n\n`;
writeFileSync(`${assets}LICENSES.txt`, `${[intro, ...comments, ...licences].join(rule)}\n`);
