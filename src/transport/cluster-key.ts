// Everything that is computed from the cluster key: proofs of the handshake, frame tags, datagram tags. Each use has a
// key of its own, derived with a label, so that nothing said in one place means anything in another. Keys never leave here.

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Bytes } from '../shared/bytes.js';

/** Length of a frame's or datagram's tag: HMAC-SHA256, truncated. */
export const tagBytes = 16;

export function derive(key: KeyObject, label: string, ...context: readonly Bytes[]): KeyObject {
  return createSecretKey(mac(key, [lengthPrefixed(Buffer.from(label, 'utf8')), ...context.map(lengthPrefixed)]));
}

/** Whole HMAC of the parts; the caller sees to it that different lists of parts are different bytes. */
export function mac(key: KeyObject, parts: readonly Bytes[]): Buffer {
  const hmac = createHmac('sha256', key);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

export function clusterKeyOf(secret: Uint8Array): KeyObject {
  return createSecretKey(secret);
}

/** Compares in constant time; false when the lengths differ. */
export function equalTags(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function lengthPrefixed(part: Bytes): Bytes {
  const prefixed = Buffer.allocUnsafe(4 + part.length);
  prefixed.writeUInt32BE(part.length, 0);
  prefixed.set(part, 4);
  return prefixed;
}

/** Tags the frames of one direction of one connection. The running number makes a replayed, lost or moved frame fail. */
export class FrameSealer {
  readonly #key: KeyObject;
  readonly #prefix = Buffer.alloc(12);
  #sequence = 0;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** Tag of the next frame, whose payload is these chunks of `payloadBytes` in all. */
  tag(chunks: readonly Bytes[], payloadBytes: number): Bytes {
    const sequence = this.#sequence++;
    this.#prefix.writeUInt32BE(Math.floor(sequence / 2 ** 32), 0);
    this.#prefix.writeUInt32BE(sequence >>> 0, 4);
    this.#prefix.writeUInt32BE(payloadBytes, 8);
    const hmac = createHmac('sha256', this.#key).update(this.#prefix);
    for (const chunk of chunks) hmac.update(chunk);
    return hmac.digest().subarray(0, tagBytes);
  }

  /** Payload of the next sealed frame; undefined when its tag is not right. */
  open(frame: Bytes): Bytes | undefined {
    const payloadBytes = frame.length - tagBytes;
    if (payloadBytes < 0) return undefined;
    const payload = frame.subarray(0, payloadBytes);
    return equalTags(this.tag([payload], payloadBytes), frame.subarray(payloadBytes)) ? payload : undefined;
  }
}
