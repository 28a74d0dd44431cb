import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { keyTextOf } from './key-text.js';
import type { Watcher, WatchRequest } from './replicated-tree.js';
import type { VersionWrite } from './store.js';
import { WatchHub } from './watch-hub.js';

const bytes = (text: string): Bytes => Uint8Array.from(text, (character) => character.charCodeAt(0));
const deletion = (key: string, revision: number): VersionWrite => ({
  space: 1,
  key: bytes(key),
  modRevision: revision as Revision,
  record: null,
});

class Recorder implements Watcher {
  readonly seen: string[] = [];
  resets = 0;
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
        const hub = new WatchHub(keyTextOf);
        const live = watches.map(({ from, to, single }) => {
          const recorder = new Recorder();
          const request: WatchRequest = { from: bytes(from), to: to === undefined ? undefined : bytes(to), single };
          return { from, to, single, recorder, end: hub.add(request, recorder), expected: [] as string[], over: false };
        });
        revisions.forEach((keys, revision) => {
          const victim = live[ended[revision] ?? -1];
          if (victim !== undefined) {
            victim.end();
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
        for (const { end } of live) end();
        expect(hub.size).toBe(0);
      },
    );
    fc.assert(property, { numRuns: 300 });
  });

  it('notify() finds the one among ten thousand watched prefixes', () => {
    const hub = new WatchHub(keyTextOf);
    const recorder = new Recorder();
    for (let i = 0; i < 10_000; i++) {
      const from = `prefix-${String(i).padStart(5, '0')}/`;
      hub.add({ from: bytes(from), to: bytes(`${from.slice(0, -1)}0`), single: false }, recorder);
    }
    for (let i = 0; i < 10_000; i++) notify(hub, i, [`prefix-${String((i * 7919) % 10_000).padStart(5, '0')}/key`]);
    expect(recorder.seen).toHaveLength(10_000);
  });
});
