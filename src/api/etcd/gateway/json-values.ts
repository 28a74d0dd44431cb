// Splits a body into the JSON values that it holds one after the other. Whole numbers too large to be exact become text,
// which is how 64-bit fields are written in JSON anyway. Never interprets a value.

/** What a body that is no JSON is answered with; the texts are etcd's where it has one. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

/** A message may nest 256 deep, and each may stand in a list. Of more the whole would take long, only to be refused. */
const depthMax = 600;
/** Brackets, commas, colons, names and values of a body: many times what the largest transaction has. */
const tokensMax = 300_000;
/** Digits that a number may have and still be exact. */
const exactDigits = 15;
const space = /\s*/y;
const longInteger = /-?\d{16,}(?![\d.eE])/y;
const number = /-?[\d.eE+-]+/y;
const word = /[a-z]+/y;

/** Each value as JSON.parse gives it. `most`: what comes behind so many is left alone, malformed or not. */
export function jsonValues(text: string, most: number): unknown[] {
  const values: unknown[] = [];
  let at = skipSpace(text, 0);
  while (at < text.length && values.length < most) {
    const { source, end } = valueAt(text, at);
    values.push(parsed(source));
    at = skipSpace(text, end);
  }
  return values;
}

function valueAt(text: string, from: number): { readonly source: string; readonly end: number } {
  let source = '';
  let depth = 0;
  let tokens = 0;
  let at = from;
  do {
    const token = tokenAt(text, at);
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    if (depth > depthMax) throw new JsonError('the message nests too deep');
    if (++tokens > tokensMax) throw new JsonError('the message has too many parts');
    source += isLongInteger(token) ? `"${token}"` : token;
    at = skipSpace(text, at + token.length);
    if (depth > 0 && at >= text.length) throw new JsonError('unexpected EOF');
  } while (depth > 0);
  return { source, end: at };
}

function tokenAt(text: string, at: number): string {
  const first = text[at] ?? '';
  if ('{}[],:'.includes(first)) return first;
  if (first === '"') return quotedText(text, at);
  const pattern = first === '-' || (first >= '0' && first <= '9') ? number : word;
  pattern.lastIndex = at;
  const token = pattern.exec(text)?.[0];
  if (token !== undefined) return token;
  throw new JsonError(`invalid character '${first}' looking for beginning of value`);
}

/** A quote ends the text unless an odd number of backslashes stands before it. */
function quotedText(text: string, at: number): string {
  for (let end = text.indexOf('"', at + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text[first - 1] === '\\') first--;
    if ((end - first) % 2 === 0) return text.slice(at, end + 1);
  }
  throw new JsonError('unexpected EOF');
}

function isLongInteger(token: string): boolean {
  if (token.length <= exactDigits || token.startsWith('"')) return false;
  longInteger.lastIndex = 0;
  return longInteger.exec(token)?.[0] === token;
}

function skipSpace(text: string, at: number): number {
  space.lastIndex = at;
  return at + (space.exec(text)?.[0].length ?? 0);
}

function parsed(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (cause) {
    throw new JsonError('invalid character in JSON', { cause });
  }
}
