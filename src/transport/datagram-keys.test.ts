import { beforeEach, describe, expect, it } from 'vitest';
import type { ServerId } from '../shared/ids.js';
import { DatagramKeys, keyAskMaxMs, keyAskMinMs } from './datagram-keys.js';

const other = 2 as ServerId;
const parts = [Uint8Array.of(1, 2, 3)];

let nowMs: number;
let keys: DatagramKeys;
let asked: ServerId[];

beforeEach(() => {
  nowMs = 0;
  asked = [];
  keys = new DatagramKeys(() => nowMs);
  keys.start((member) => asked.push(member));
});

/** What a process of the other member says in a handshake, and its keys. */
function process(boot: number, incarnation = 'd'): { readonly keys: DatagramKeys; tell(): void } {
  const theirs = new DatagramKeys();
  return { keys: theirs, tell: () => keys.learn(other, { incarnation, boot, secret: theirs.own }) };
}

function hears(from: { readonly keys: DatagramKeys }): boolean {
  return keys.accepts(other, parts, from.keys.tag(parts));
}

describe('DatagramKeys', () => {
  it('accept tags by the key that a member told last, for what was tagged, and of nobody else', () => {
    const first = process(1);
    expect(hears(first)).toBe(false);
    first.tell();
    expect(hears(first)).toBe(true);
    expect(keys.accepts(other, [Uint8Array.of(1, 2, 4)], first.keys.tag(parts))).toBe(false);
    expect(keys.accepts(3 as ServerId, parts, first.keys.tag(parts))).toBe(false);
    const second = process(2);
    second.tell();
    expect(hears(second)).toBe(true);
    expect(hears(first)).toBe(false);
    first.tell();
    expect(hears(second)).toBe(true);
    const rebuilt = process(1, 'another directory');
    rebuilt.tell();
    expect(hears(rebuilt)).toBe(true);
    expect(process(1).keys.own).not.toEqual(first.keys.own);
  });

  it('have a member asked when its answer could not be read, once at a time', () => {
    keys.expect(other);
    keys.expect(other);
    expect(asked).toEqual([other]);
    const member = process(1);
    member.tell();
    expect(keys.answered(other)).toBe(false);
    nowMs = keyAskMaxMs;
    keys.expect(other);
    expect(hears(member)).toBe(true);
    expect(asked.length).toBe(1);
  });

  it('have a member asked rarely, whoever sends datagrams in its name, and at once again after a new key', () => {
    const member = process(1);
    member.tell();
    const forged = process(9);
    const times: number[] = [];
    for (; nowMs < 30_000; nowMs += 10) {
      hears(forged);
      if (asked.length === times.length) continue;
      times.push(nowMs);
      expect(keys.answered(other)).toBe(true);
    }
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses.slice(0, 4)).toEqual([1, 2, 4, 8].map((times) => times * keyAskMinMs));
    expect(Math.max(...pauses)).toBe(keyAskMaxMs);
    expect(times.length).toBeLessThan(15);
    const anew = process(2);
    hears(anew);
    anew.tell();
    expect(keys.answered(other)).toBe(false);
    nowMs += keyAskMinMs;
    const before = asked.length;
    hears(forged);
    expect(asked.length).toBe(before + 1);
  });
});
