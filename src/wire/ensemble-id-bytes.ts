// Ensemble ids as messages carry them: 16 bytes for 32 hexadecimal digits, none for a blank node's null.

import { assert } from '../shared/assert.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { EnsembleId } from '../shared/ids.js';
import { WireError } from './protobuf/wire-error.js';

const idBytes = 16;
const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function ensembleIdToBytes(id: EnsembleId | null): Bytes {
  if (id === null) return emptyBytes;
  assert(/^[0-9a-f]{32}$/.test(id), `Cannot encode ensemble id "${id}": expected 32 hexadecimal digits`);
  const bytes = new Uint8Array(idBytes);
  for (let i = 0; i < idBytes; i++) bytes[i] = Number.parseInt(id.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

export function ensembleIdFromBytes(bytes: Bytes): EnsembleId | null {
  if (bytes.length === 0) return null;
  if (bytes.length !== idBytes)
    throw new WireError(`Cannot decode an ensemble id: ${bytes.length} bytes, expected ${idBytes}`);
  let id = '';
  for (const byte of bytes) id += hexPairs[byte];
  return id as EnsembleId;
}
