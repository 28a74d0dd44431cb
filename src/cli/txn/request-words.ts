// The words and flags of a request inside a transaction, as etcdctl takes them: "…" with escapes, '…' as it is, or bare;
// long flags anywhere, with their value behind = or as the next word.

import { StoreError } from '../../shared/errors.js';
import { quotedTextAt } from './quoted-text.js';

const bareWord = /[^'"\s]\S*/y;
const singleQuoted = /'([^']*)'/y;

export function requestWords(line: string): Uint8Array[] {
  const words: Uint8Array[] = [];
  let at = skipSpaces(line, 0);
  while (at < line.length) {
    const { bytes, end } = wordAt(line, at);
    words.push(bytes);
    at = skipSpaces(line, end);
  }
  return words;
}

function wordAt(line: string, at: number): { readonly bytes: Uint8Array; readonly end: number } {
  if (line[at] === '"') {
    const quoted = quotedTextAt(line, at);
    if (quoted !== undefined) return quoted;
    throw new StoreError('INVALID_ARGUMENT', 'Cannot read the request: a word that begins with " does not end');
  }
  const pattern = line[at] === "'" ? singleQuoted : bareWord;
  pattern.lastIndex = at;
  const match = pattern.exec(line);
  if (match === null) {
    throw new StoreError('INVALID_ARGUMENT', "Cannot read the request: a word that begins with ' does not end");
  }
  return { bytes: Buffer.from(match[1] ?? match[0]), end: pattern.lastIndex };
}

/** Index of what is no space. */
export function skipSpaces(line: string, start: number): number {
  let at = start;
  while (at < line.length && (line[at] ?? '').trim() === '') at++;
  return at;
}

/** Which flags there are: true: it stands alone; false: it takes a value. */
export type FlagTable = Readonly<Record<string, boolean>>;

export interface RequestArguments {
  readonly values: readonly Uint8Array[];
  readonly flags: ReadonlyMap<string, string>;
}

/** Parts words into flags and what they are about; behind `--` there are no flags. */
export function requestArguments(words: readonly Uint8Array[], table: FlagTable): RequestArguments {
  const values: Uint8Array[] = [];
  const flags = new Map<string, string>();
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? new Uint8Array(0);
    const text = Buffer.from(word).toString();
    if (text === '--') return { values: [...values, ...words.slice(index + 1)], flags };
    if (!text.startsWith('-') || text === '-') {
      values.push(word);
      continue;
    }
    const [name = '', given] = parted(text);
    const alone = Object.hasOwn(table, name) ? table[name] : undefined;
    if (alone === undefined)
      throw new StoreError('INVALID_ARGUMENT', `Cannot read the request: ${text} is no flag of it`);
    if (given !== undefined || alone) {
      flags.set(name, given ?? 'true');
      continue;
    }
    const next = words[++index];
    if (next === undefined)
      throw new StoreError('INVALID_ARGUMENT', `Cannot read the request: --${name} needs a value`);
    flags.set(name, Buffer.from(next).toString());
  }
  return { values, flags };
}

/** Name and, behind the first =, value of a long flag; the name is empty where it is none. */
function parted(text: string): readonly [string, string | undefined] {
  if (!text.startsWith('--')) return ['', undefined];
  const at = text.indexOf('=');
  return at < 0 ? [text.slice(2), undefined] : [text.slice(2, at), text.slice(at + 1)];
}
