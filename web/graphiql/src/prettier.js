// GraphiQL prettifies JSON with Prettier and its Babel parser (half a megabyte); jsonc-parser, which is
// in the bundle anyway, does the same for variables and headers.
import { applyEdits, format as edits } from 'jsonc-parser';
import { format as prettier } from 'real-prettier';

export async function format(text, options) {
  if (options.parser !== 'jsonc') return prettier(text, options);
  return applyEdits(text, edits(text, undefined, { tabSize: 2, insertSpaces: true }));
}
