// Who tags election datagrams with what, where members speak TLS and have no cluster key: every member makes a key when it
// starts and tells it to the others inside TLS. Says when a member has to be asked for its key; asks nobody itself.

import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Bytes } from '../shared/bytes.js';
import type { ServerId } from '../shared/ids.js';
import { datagramKeyBytes } from '../wire/handshake-codec.js';
import { derive, equalTags, mac, tagBytes } from './cluster-key.js';

/** From the end of one attempt to learn a member's key to the next: the first pause, doubled up to the longest. */
export const keyAskMinMs = 100;
export const keyAskMaxMs = 5_000;

interface Known {
  incarnation: string;
  boot: number;
  secret: Bytes;
  key: KeyObject;
}

interface Member {
  known: Known | undefined;
  /** Under way, and what was known when it began. */
  asking: { readonly before: Known | undefined } | undefined;
  /** Since it told a new key. */
  attempts: number;
  pauseMs: number;
  notBeforeMs: number;
}

export class DatagramKeys {
  /** To be told to other members, inside TLS. A secret. */
  readonly own: Bytes = randomBytes(datagramKeyBytes);
  /** Attempts to learn keys. */
  asked = 0;
  readonly #key: KeyObject = datagramKeyOf(createSecretKey(this.own));
  readonly #members = new Map<ServerId, Member>();
  readonly #nowMs: () => number;
  #ask: ((member: ServerId) => void) | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** `ask` is called when a member's key is to be learned, and answers by `answered`. */
  start(ask: (member: ServerId) => void): void {
    this.#ask = ask;
  }

  tag(parts: readonly Bytes[]): Bytes {
    return datagramTag(this.#key, parts);
  }

  /** Is this tag by the key of that member? If not, it may have started anew: it is asked. */
  accepts(sender: ServerId, parts: readonly Bytes[], tag: Bytes): boolean {
    const known = this.#members.get(sender)?.known;
    if (known !== undefined && equalTags(datagramTag(known.key, parts), tag)) return true;
    this.doubt(sender);
    return false;
  }

  /** Something in its name was not what it would say. */
  doubt(member: ServerId): void {
    this.#want(member);
  }

  /** What this member answers is to be understood. */
  expect(member: ServerId): void {
    if (this.#members.get(member)?.known === undefined) this.#want(member);
  }

  /** As the member itself said, inside TLS. What it had before counts no more. */
  learn(id: ServerId, told: { readonly incarnation: string; readonly boot: number; readonly secret: Bytes }): void {
    const member = this.#member(id);
    const { known } = member;
    const { incarnation, boot } = told;
    // Said by a process that has ended since.
    if (known !== undefined && known.incarnation === incarnation && boot < known.boot) return;
    if (known !== undefined && equalTags(known.secret, told.secret)) return;
    const secret = told.secret.slice();
    member.known = { incarnation, boot, secret, key: datagramKeyOf(createSecretKey(secret)) };
    member.attempts = 0;
    member.pauseMs = keyAskMinMs;
  }

  /** How often it was asked since it told a new key. */
  attemptsAt(member: ServerId): number {
    return this.#members.get(member)?.attempts ?? 0;
  }

  /** An attempt is over. True if it was for a tag that did not fit, and the key is the one that was known. */
  answered(id: ServerId): boolean {
    const member = this.#member(id);
    const before = member.asking?.before;
    member.asking = undefined;
    member.notBeforeMs = this.#nowMs() + member.pauseMs;
    member.pauseMs = Math.min(member.pauseMs * 2, keyAskMaxMs);
    return before !== undefined && before === member.known;
  }

  /** Whoever sends datagrams in a member's name brings about no more than one attempt at a time, and pauses between. */
  #want(id: ServerId): void {
    const member = this.#member(id);
    if (this.#ask === undefined || member.asking !== undefined || this.#nowMs() < member.notBeforeMs) return;
    member.asking = { before: member.known };
    this.asked++;
    member.attempts++;
    this.#ask(id);
  }

  #member(id: ServerId): Member {
    let member = this.#members.get(id);
    if (member === undefined) {
      member = {
        known: undefined,
        asking: undefined,
        attempts: 0,
        pauseMs: keyAskMinMs,
        notBeforeMs: Number.NEGATIVE_INFINITY,
      };
      this.#members.set(id, member);
    }
    return member;
  }
}

/** The key for datagrams, of a cluster key or of a member's own. */
export function datagramKeyOf(secret: KeyObject): KeyObject {
  return derive(secret, 'zabtree election datagrams');
}

export function datagramTag(key: KeyObject, parts: readonly Bytes[]): Bytes {
  return mac(key, parts).subarray(0, tagBytes);
}
