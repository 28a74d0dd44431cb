// One line of a transaction as etcdctl takes it: a comparison, or a request with etcdctl's flags. What etcdctl would pass
// over in silence, such as a third word of a put, is refused.

import type { RangeOptions } from '../../client/key-range.js';
import type { Condition, ConditionRelation, GetOperation, Operation } from '../../client/transaction.js';
import { StoreError } from '../../shared/errors.js';
import { quotedTextAt } from './quoted-text.js';
import { type FlagTable, type RequestArguments, requestArguments, requestWords, skipSpaces } from './request-words.js';

const targets: Readonly<Record<string, Target>> = {
  ver: 'version',
  version: 'version',
  c: 'createRevision',
  create: 'createRevision',
  m: 'modRevision',
  mod: 'modRevision',
  val: 'value',
  value: 'value',
  lease: 'lease',
};

type Target = 'version' | 'createRevision' | 'modRevision' | 'value' | 'lease';

const relation = /\s*(=|!=|>|<)\s*/y;

/** `mod("key") > "0"`. */
export function conditionOf(line: string): Condition {
  const opens = line.indexOf('(');
  const word = line.slice(0, Math.max(0, opens)).trim();
  const target = Object.hasOwn(targets, word) ? targets[word] : undefined;
  if (target === undefined) {
    throw malformed(line, `it begins with none of ${Object.keys(targets).join(', ')} and a parenthesis`);
  }
  const key = quotedTextAt(line, skipSpaces(line, opens + 1));
  if (key === undefined) throw malformed(line, 'there is no key in quotes');
  const closes = skipSpaces(line, key.end);
  if (line[closes] !== ')') throw malformed(line, 'there is no parenthesis behind the key');
  relation.lastIndex = closes + 1;
  const related = relation.exec(line);
  if (related === null) throw malformed(line, 'there is none of = != > < behind the parenthesis');
  const operand = quotedTextAt(line, relation.lastIndex);
  if (operand === undefined) throw malformed(line, 'there is no value in quotes');
  if (skipSpaces(line, operand.end) < line.length) throw malformed(line, 'something stands behind the value');
  const on = { key: key.bytes, relation: related[1] as ConditionRelation };
  if (target === 'value') return { ...on, value: operand.bytes };
  const text = Buffer.from(operand.bytes).toString();
  if (target === 'lease') return { ...on, lease: leaseOf(text) };
  const number = numberOf(text, 'the value');
  if (target === 'version') return { ...on, version: number };
  return target === 'createRevision' ? { ...on, createRevision: number } : { ...on, modRevision: number };
}

function malformed(line: string, problem: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', `Cannot read the comparison ${shortened(line)}: ${problem}`);
}

const putFlags: FlagTable = { lease: false, 'prev-kv': true, 'ignore-value': true, 'ignore-lease': true };
const deleteFlags: FlagTable = { prefix: true, 'from-key': true, 'prev-kv': true };
const getFlags: FlagTable = {
  consistency: false,
  order: false,
  'sort-by': false,
  limit: false,
  prefix: true,
  'from-key': true,
  rev: false,
  'keys-only': true,
  'print-value-only': true,
};

const requests: Readonly<Record<string, (words: readonly Uint8Array[]) => Operation>> = {
  put: putOf,
  get: getOf,
  del: deleteOf,
};

/** `put KEY VALUE`, `get KEY [END]`, `del KEY [END]`; as in etcdctl the first letters of these words do. */
export function operationOf(line: string): Operation {
  const [first, ...words] = requestWords(line);
  const name = Buffer.from(first ?? []).toString();
  const named = Object.keys(requests).find((known) => name !== '' && known.startsWith(name));
  const request = named === undefined ? undefined : requests[named];
  if (request !== undefined) return request(words);
  throw new StoreError('INVALID_ARGUMENT', `Cannot read the request ${shortened(line)}: it is no put, get or del`);
}

function putOf(words: readonly Uint8Array[]): Operation {
  const asked = requestArguments(words, putFlags);
  const keepValue = truth(asked, 'ignore-value');
  const [key, value, ...more] = asked.values;
  const complete = key !== undefined && (value === undefined) === keepValue;
  if (!complete || more.length > 0) {
    const expected = keepValue ? 'a key alone with --ignore-value' : 'a key and a value';
    throw new StoreError('INVALID_ARGUMENT', `Cannot read the put: expected ${expected}`);
  }
  return {
    type: 'put',
    key,
    ...(value === undefined ? {} : { value }),
    lease: leaseOf(asked.flags.get('lease') ?? '0'),
    keepValue,
    keepLease: truth(asked, 'ignore-lease'),
    previous: truth(asked, 'prev-kv'),
  };
}

function deleteOf(words: readonly Uint8Array[]): Operation {
  const asked = requestArguments(words, deleteFlags);
  return { type: 'delete', ...rangeOf(asked, 'del'), previous: truth(asked, 'prev-kv') };
}

/** How consistent it is and that only values are printed says nothing inside a transaction, to etcdctl neither. */
function getOf(words: readonly Uint8Array[]): Operation {
  const asked = requestArguments(words, getFlags);
  choiceOf(asked, 'consistency', { l: true, s: true });
  truth(asked, 'print-value-only');
  const limit = numberOf(asked.flags.get('limit') ?? '0', '--limit');
  const revision = numberOf(asked.flags.get('rev') ?? '0', '--rev');
  return {
    type: 'get',
    ...rangeOf(asked, 'get'),
    ...(limit > 0 ? { limit } : {}),
    ...(revision > 0 ? { revision } : {}),
    sortBy: choiceOf(asked, 'sort-by', sortTargets) ?? 'key',
    descending: choiceOf(asked, 'order', { ASCEND: false, DESCEND: true }) ?? false,
    keysOnly: truth(asked, 'keys-only'),
  };
}

const sortTargets = {
  CREATE: 'createRevision',
  KEY: 'key',
  MODIFY: 'modRevision',
  VALUE: 'value',
  VERSION: 'version',
} as const satisfies Record<string, GetOperation['sortBy']>;

function rangeOf(asked: RequestArguments, request: string): RangeOptions {
  const [key, end, ...more] = asked.values;
  const prefix = truth(asked, 'prefix');
  const fromKey = truth(asked, 'from-key');
  if (key === undefined || more.length > 0) throw badRange(request, 'a key and at most the end of a range');
  if (prefix && fromKey) throw badRange(request, 'only one of --prefix and --from-key');
  if (end !== undefined && (prefix || fromKey)) throw badRange(request, 'one key with --prefix or --from-key');
  if (prefix) return { prefix: key };
  if (fromKey || (end?.length === 1 && end[0] === 0)) return { from: key };
  return end === undefined || end.length === 0 ? { key } : { from: key, to: end };
}

function badRange(request: string, expected: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', `Cannot read the ${request}: expected ${expected}`);
}

function truth({ flags }: RequestArguments, name: string): boolean {
  const text = flags.get(name) ?? 'false';
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw new StoreError('INVALID_ARGUMENT', `Cannot read --${name}=${shortened(text)}: expected true or false`);
}

/** Undefined: the flag is not there, or empty. As in etcdctl, capitals and small letters are the same. */
function choiceOf<T>({ flags }: RequestArguments, name: string, choices: Readonly<Record<string, T>>): T | undefined {
  const text = flags.get(name) ?? '';
  if (text === '') return undefined;
  const found = Object.keys(choices).find((choice) => choice.toUpperCase() === text.toUpperCase());
  if (found !== undefined) return choices[found];
  const expected = Object.keys(choices).join(', ');
  throw new StoreError('INVALID_ARGUMENT', `Cannot read --${name}=${shortened(text)}: expected one of ${expected}`);
}

/** Numbers here are exact up to 2^53, which no revision reaches: what is greater compares alike. */
function numberOf(text: string, what: string): number {
  if (!/^[+-]?\d{1,19}$/.test(text)) {
    throw new StoreError('INVALID_ARGUMENT', `Cannot read ${what} ${shortened(text)}: expected a whole number`);
  }
  return Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Number(text)));
}

/** Hexadecimal; 0 = none. */
function leaseOf(text: string): bigint {
  if (!/^[0-9a-f]{1,16}$/i.test(text)) {
    throw new StoreError('INVALID_ARGUMENT', `Cannot read the lease ${shortened(text)}: expected hexadecimal digits`);
  }
  return BigInt.asIntN(64, BigInt(`0x${text}`));
}

/** Characters of a line that an error repeats. */
const shownMax = 60;

function shortened(text: string): string {
  return JSON.stringify(text.length > shownMax ? `${text.slice(0, shownMax)}…` : text);
}
