// Builds ../../tocsin/bell/bell.js, one ES module. The same sources give the same bytes, and the last line names them.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const MOST_GZIPPED = 40_000;
const here = path => fileURLToPath(new URL(path, import.meta.url));
const out = here(`${process.argv[2] ?? '../../tocsin/bell'}/`);

// The indentation of templates is not worth its bytes.
const dense = {
  name: 'dense',
  transform: (code, id) => (id.startsWith(here('src/')) ? code.replace(/\n\s+/g, '\n') : null),
};

const [{ output }] = await build({
  root: here('.'),
  configFile: false,
  logLevel: 'warn',
  plugins: [dense],
  build: {
    lib: { entry: here('src/bell.ts'), formats: ['es'], fileName: 'bell' },
    target: 'es2022',
    rolldownOptions: { output: { minify: true } },
    write: false,
  },
}).then(results => [results].flat());
const [{ code, modules }] = output;

// What the committed file was built from: tests/bell compares without node.
const sources = ['build.mjs', 'package-lock.json', ...readdirSync(here('src')).sort().map(name => `src/${name}`)];
const hash = createHash('sha256');
for (const name of sources) hash.update(`${name}\n`).update(readFileSync(here(name)));
const bytes = `// Tocsin's bell. Apache-2.0; see LICENSES.txt for what is in it.\n${code.trim()}\n// sources: ${hash.digest('hex')}\n`;

const names = Object.keys(modules).flatMap(id => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(id)?.[1] ?? []);
const licences = [...new Set(names)].sort().map(name => {
  const folder = here(`node_modules/${name}/`);
  const { version, license } = JSON.parse(readFileSync(`${folder}package.json`));
  const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry));
  return `${name} ${version} (${license})\n\n${readFileSync(folder + file, 'utf8').trim()}`;
});
writeFileSync(`${out}bell.js`, bytes);
writeFileSync(`${out}LICENSES.txt`, `${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);

const size = gzipSync(bytes, { level: 9 }).length;
console.log(`bell.js: ${bytes.length} bytes, ${size} gzipped`);
if (size > MOST_GZIPPED) throw new Error(`bell.js is larger than ${MOST_GZIPPED} bytes gzipped.`);
