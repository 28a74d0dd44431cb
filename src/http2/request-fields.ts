// Whether the fields of a request are what HTTP/2 allows (RFC 9113, 8.2 and 8.3). What a request wants is not judged here.
// `:authority` may be anything: clients of etcd 3.4 put a URL there.

import type { HeaderField } from './hpack-decoder.js';

const pseudoBits: Readonly<Record<string, number>> = { ':method': 1, ':scheme': 2, ':path': 4, ':authority': 8 };
const requiredBits = 1 | 2 | 4;
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
const colon = 0x3a;

/** `known`: a list that was judged to be a request; fields that both share, the very objects, are not judged again. */
export function isRequest(fields: readonly HeaderField[], known: readonly HeaderField[] | null): boolean {
  if (fields === known) return true;
  let seen = 0;
  let regular = false;
  for (let at = 0; at < fields.length; at++) {
    const field = fields[at] as HeaderField;
    const { name } = field;
    if (name.charCodeAt(0) !== colon) {
      regular = true;
      if (known?.[at] !== field && !isRegular(field)) return false;
      continue;
    }
    const bit = pseudoBits[name] ?? 0;
    if (regular || bit === 0 || (seen & bit) !== 0) return false;
    seen |= bit;
  }
  return (seen & requiredBits) === requiredBits;
}

/** Fields behind a request's body. */
export function isTrailers(fields: readonly HeaderField[]): boolean {
  return fields.every((field) => isRegular(field));
}

function isRegular({ name, value }: HeaderField): boolean {
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return false;
  if (connectionFields.has(name) || (name === 'te' && value !== 'trailers')) return false;
  return !/[\0\r\n]/.test(value);
}
