import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { keyTextOf } from './key-text.js';
import type { WatchedKeys, Watcher } from './replicated-tree.js';
import type { VersionWrite } from './store.js';
import type { PastReader } from './watch-event.js';
import { WatchHub } from './watch-hub.js';

const bytes = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));
const deletion = (key: string, revision: number): VersionWrite => ({
  space: 1,
  key: bytes(key),
  modRevision: revision as Revision,
  record: null,
});

const noPast: PastReader = { recordAt: () => undefined };

class Recorder implements Watcher {
  readonly from: string;
  readonly to: string | undefined;
  readonly single: boolean;
  readonly seen: string[] = [];
  resets = 0;

  constructor({ from, to, single }: WatchedKeys) {
    this.from = from;
    this.to = to;
    this.single = single;
  }

  notify(revision: Revision, events: Parameters<Watcher['notify']>[1]): void {
    this.seen.push(`${revision} ${events.map((event) => keyTextOf(event.key)).join(',')}`);
  }
  reset(): void {
    this.resets += 1;
  }
}

function notify(hub: WatchHub, revision: number, keys: readonly string[]): void {
  const versions = keys.map((key) => deletion(key, revision));
  hub.notify(revision as Revision, keys, versions);
}

const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 3 });
const watch = fc.record({ from: text, to: fc.option(text, { nil: undefined }), single: fc.boolean() });

describe('WatchHub', () => {
  it('notify() tells exactly the watchers whose key or range holds a change, one call per revision', () => {
    const property = fc.property(
      fc.array(watch, { maxLength: 30 }),
      fc.array(fc.uniqueArray(text, { minLength: 1, maxLength: 4 }), { maxLength: 10 }),
      fc.array(fc.nat({ max: 29 }), { maxLength: 10 }),
      (watches, revisions, ended) => {
        const hub = new WatchHub(noPast);
        const live = watches.map(({ from, to, single }) => {
          const recorder = new Recorder({ from, to, single });
          hub.add(recorder);
          return { from, to, single, recorder, expected: [] as string[], over: false };
        });
        revisions.forEach((keys, revision) => {
          const victim = live[ended[revision] ?? -1];
          if (victim !== undefined && !victim.over) {
            hub.remove(victim.recorder);
            victim.over = true;
          }
          for (const { from, to, single, over, expected } of live) {
            const hits = keys.filter((key) => (single ? key === from : key >= from && (to === undefined || key < to)));
            if (!over && hits.length > 0) expected.push(`${revision} ${hits.join(',')}`);
          }
          notify(hub, revision, keys);
        });
        for (const { recorder, expected } of live) expect(recorder.seen).toEqual(expected);
        hub.reset(1 as Revision);
        expect(live.map(({ recorder }) => recorder.resets)).toEqual(live.map(({ over }) => (over ? 0 : 1)));
        for (const { recorder, over } of live) if (!over) hub.remove(recorder);
        expect(hub.size).toBe(0);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('notify() finds the one among ten thousand watched prefixes', () => {
    const hub = new WatchHub(noPast);
    const prefix = (i: number): string => `prefix-${String(i).padStart(5, '0')}`;
    const recorders = Array.from({ length: 10_000 }, (_, i) => {
      const recorder = new Recorder({ from: `${prefix(i)}/`, to: `${prefix(i)}0`, single: false });
      hub.add(recorder);
      return recorder;
    });
    for (let i = 0; i < 10_000; i++) notify(hub, i, [`${prefix((i * 7919) % 10_000)}/key`]);
    for (const { seen } of recorders) expect(seen).toHaveLength(1);
  });
});
