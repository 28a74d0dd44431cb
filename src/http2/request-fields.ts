// Whether the fields of a request are what HTTP/2 allows (RFC 9113, 8.2 and 8.3). What a request wants is not judged here.
// `:authority` may be anything: clients of etcd 3.4 put a URL there.

import type { HeaderField } from './hpack-decoder.js';

const pseudoFields: ReadonlySet<string> = new Set([':method', ':scheme', ':path', ':authority']);
const required = [':method', ':scheme', ':path'] as const;
const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
const colon = 0x3a;

export function isRequest(fields: readonly HeaderField[]): boolean {
  const seen = new Set<string>();
  let regular = false;
  for (const { name, value } of fields) {
    if (name.charCodeAt(0) === colon) {
      if (regular || !pseudoFields.has(name) || seen.has(name)) return false;
      seen.add(name);
    } else {
      regular = true;
      if (!isRegular(name, value)) return false;
    }
  }
  return required.every((name) => seen.has(name));
}

/** Fields behind a request's body. */
export function isTrailers(fields: readonly HeaderField[]): boolean {
  return fields.every(({ name, value }) => isRegular(name, value));
}

function isRegular(name: string, value: string): boolean {
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name)) return false;
  if (connectionFields.has(name) || (name === 'te' && value !== 'trailers')) return false;
  return !/[\0\r\n]/.test(value);
}
