// Transactions through the client against the real client port, service and tree; and what a caller is told when an answer
// was lost on its way.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedNode, serveNode } from '../../test/support/served-node.js';
import type { Revision, Zxid } from '../shared/ids.js';
import type { Command } from './pending-request.js';
import { tcpTransport } from './tcp-transport.js';
import { carryOut, type Operation, transactionOf } from './transaction.js';
import { ZabtreeClient } from './zabtree-client.js';

let served: ServedNode;
let client: ZabtreeClient;

beforeAll(async () => {
  served = await serveNode();
  client = new ZabtreeClient({ peers: [served.peer], transport: tcpTransport, timeoutMs: 15_000 });
});

afterAll(async () => {
  client.close();
  await served.close();
});

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();
const get = (prefix: string): Operation => ({ type: 'get', prefix });

describe('transact()', () => {
  it('does one thing or another by every kind of condition, at one revision', async () => {
    const { id } = await client.leases.grant(60);
    const put = { type: 'put', key: 't/a', value: '1', lease: id } as const;
    const created = await client.transact({ conditions: [{ key: 't/a', relation: '=', version: 0 }], success: [put] });
    expect(created).toMatchObject({ succeeded: true, outcomes: [{ type: 'put' }] });
    const { revision } = created;
    const all = { key: 't/a', relation: '=' } as const;
    for (const [condition, held] of [
      [{ ...all, value: '1' }, true],
      [{ ...all, lease: id }, true],
      [{ ...all, modRevision: revision }, true],
      [{ ...all, createRevision: revision - 1 }, false],
      [{ prefix: 't/', relation: '>', version: 1 }, false],
      [{ from: 't/', to: 't0', relation: '<', version: 2 }, true],
    ] as const) {
      const request = { conditions: [condition], success: [get('t/')], failure: [{ ...put, type: 'get' }] } as const;
      expect((await client.transact(request)).succeeded).toBe(held);
    }
    const both = await client.transact({
      success: [
        { type: 'put', key: 't/b', value: '2' },
        { type: 'put', key: 't/a', keepValue: true, keepLease: true, previous: true },
        { type: 'get', prefix: '', sortBy: 'value', descending: true, limit: 1 },
        { type: 'transaction', conditions: [{ key: 't/b', relation: '=', version: 9 }], failure: [get('t/a')] },
        { type: 'get', from: 't/', revision, keysOnly: true },
        { type: 'delete', key: 't/none', previous: true },
      ],
    });
    expect(both.revision).toBe(revision + 1);
    const [, kept, sorted, nested, past, gone] = both.outcomes;
    expect(kept).toMatchObject({ previous: { modRevision: revision, lease: id } });
    expect(sorted).toMatchObject({ count: 2, more: true });
    expect(sorted?.type === 'range' && text(sorted.records[0]?.key)).toBe('t/b');
    expect(nested).toMatchObject({ succeeded: false, outcomes: [{ records: [{ version: 2, lease: id }] }] });
    expect(past).toMatchObject({ records: [{ version: 1, value: new Uint8Array(0) }] });
    expect(gone).toEqual({ type: 'delete', deleted: 0, previous: [] });
  });

  it('refuses what cannot be, and changes nothing by it', async () => {
    const before = (await client.get('r')).revision;
    const twice: Operation = { type: 'put', key: 'r', value: '1' };
    await expect(client.transact({ success: [twice, twice] })).rejects.toMatchObject({ code: 'DUPLICATE_KEY' });
    const leased = { ...twice, lease: 4711n };
    await expect(client.transact({ success: [leased] })).rejects.toMatchObject({ code: 'LEASE_NOT_FOUND' });
    const kept = { type: 'put', key: 'r', keepValue: true } as const;
    await expect(client.transact({ success: [kept] })).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' });
    const unreal = { key: 'r', relation: '=', version: 0.5 } as const;
    await expect(client.transact({ conditions: [unreal] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    const huge: Operation[] = ['a', 'b'].map((key) => ({ type: 'put', key, value: new Uint8Array(1.2 * 2 ** 20) }));
    await expect(client.transact({ success: huge })).rejects.toMatchObject({ code: 'TOO_LARGE' });
    expect((await client.get('r')).revision).toBe(before);
  });
});

describe('carryOut()', () => {
  const standing = { revision: 5 as Revision, zxid: 9 as Zxid };
  const output = { type: 'transaction', succeeded: true, outcomes: [] } as const;

  it('asks a transaction that only reads anew when its answer is lost, and no other', async () => {
    const asked: Command[] = [];
    const answers = [
      { ...standing, output: undefined },
      { ...standing, output },
    ];
    const ask = (command: Command): Promise<(typeof answers)[number]> => {
      asked.push(command);
      return Promise.resolve(answers[asked.length - 1] ?? { ...standing, output: undefined });
    };
    const reads = transactionOf({ success: [get('a'), { type: 'transaction', success: [get('b')] }] });
    expect(await carryOut(reads, ask)).toMatchObject({ succeeded: true, revision: 5 });
    expect(asked).toHaveLength(2);
    const changes = transactionOf({ failure: [{ type: 'transaction', success: [{ type: 'delete', key: 'a' }] }] });
    await expect(carryOut(changes, ask)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      message: expect.stringContaining('carried out once, by revision 5'),
    });
    expect(asked).toHaveLength(3);
  });
});
