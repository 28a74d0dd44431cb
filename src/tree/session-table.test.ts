import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import { SessionTable } from './session-table.js';
import type { SessionRecord } from './store.js';

const limits = { sessionsMax: 3, sessionResultsMax: 4, sessionResultsTotalMax: 8 };
const client = (id: number): ClientId => id as ClientId;
const zxid = (value: number): Zxid => value as Zxid;

function remember(table: SessionTable, id: number, request: number, at: number, below = 1): readonly ClientId[] {
  const operation = { type: 'remember', client: client(id), request, acknowledgedBelow: below, code: 'OK' } as const;
  return table.remember(operation, at as Revision, zxid(at));
}

describe('SessionTable', () => {
  it('lookup() gives a remembered result until it is acknowledged, then refuses to guess', () => {
    const table = new SessionTable(limits, [], zxid(0));
    remember(table, 1, 1, 10);
    expect(table.lookup(client(1), 1, zxid(5))).toMatchObject({ request: 1, code: 'OK', zxid: 10 });
    expect(table.lookup(client(1), 2, zxid(5))).toBeUndefined();
    remember(table, 1, 3, 11, 3);
    expect(table.lookup(client(1), 1, zxid(5))).toBe('forgotten');
    expect(table.lookup(client(1), 2, zxid(5))).toBe('forgotten');
  });

  it('remember() past the bound of one client moves its window', () => {
    const table = new SessionTable(limits, [], zxid(0));
    for (let request = 1; request <= 6; request++) remember(table, 1, request, 10 + request);
    expect(table.lookup(client(1), 2, zxid(5))).toBe('forgotten');
    expect(table.lookup(client(1), 3, zxid(5))).toMatchObject({ request: 3 });
  });

  it('remember() evicts the least recently used client, whose requests are refused from then on', () => {
    const table = new SessionTable(limits, [], zxid(0));
    remember(table, 1, 1, 10);
    remember(table, 2, 1, 11);
    remember(table, 3, 1, 12);
    remember(table, 1, 2, 13);
    expect(remember(table, 4, 1, 14)).toEqual([2]);
    expect(table.evictedThrough).toBe(11);
    expect(table.lookup(client(2), 2, zxid(10))).toBe('forgotten');
    expect(table.lookup(client(9), 1, zxid(10))).toBe('forgotten');
    expect(table.lookup(client(9), 1, zxid(11))).toBeUndefined();
  });

  it('a table restored from its records goes on exactly like the one that it was copied from', () => {
    const use = fc.record({ id: fc.integer({ min: 1, max: 6 }), ahead: fc.nat({ max: 3 }), kept: fc.nat({ max: 5 }) });
    fc.assert(
      fc.property(fc.array(use, { maxLength: 40 }), fc.array(use, { maxLength: 40 }), (before, after) => {
        const table = new SessionTable(limits, [], zxid(0));
        const requests = new Map<number, number>();
        let at = 0;
        const run = (tables: readonly SessionTable[], uses: typeof before): void => {
          for (const { id, ahead, kept } of uses) {
            at += 1;
            const request = (requests.get(id) ?? 0) + 1 + ahead;
            requests.set(id, request);
            const evicted = tables.map((each) => remember(each, id, request, at, Math.max(1, request - kept)));
            expect(evicted[1] ?? evicted[0]).toEqual(evicted[0]);
          }
        };
        run([table], before);
        const restored = new SessionTable(limits, recordsOf(table), table.evictedThrough);
        run([table, restored], after);
        expect(recordsOf(restored)).toEqual(recordsOf(table));
        expect(restored.evictedThrough).toBe(table.evictedThrough);
      }),
    );
  });
});

function recordsOf(table: SessionTable): SessionRecord[] {
  const ids = [1, 2, 3, 4, 5, 6].map(client);
  return ids.map((id) => table.record(id)).filter((record) => record !== undefined);
}
