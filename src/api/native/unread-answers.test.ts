// What a native client costs that asks for more than it reads: its transactions wait, and none of their answers is lost.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClientPortBench, turns, until } from '../../../test/support/client-port-bench.js';
import { bytesOf, setOf } from '../../../test/support/native-test-client.js';
import { type Limits, limits } from '../../config/limits.js';
import { wholeSelection } from '../../service/whole-selection.js';
import type { RangeSelection, TransactionOperation } from '../../tree/transaction.js';
import type { NativeRequestBody } from '../../wire/native-messages.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(overrides: Partial<Limits>): Promise<ClientPortBench> {
  const bench = await ClientPortBench.open(overrides);
  opened.push(bench);
  return bench;
}

describe('a client that asks for large answers', () => {
  const range: RangeSelection = {
    ...wholeSelection,
    from: bytesOf('big'),
    to: bytesOf('bih'),
    single: false,
  };
  const transactOf = (...success: TransactionOperation[]): NativeRequestBody => ({
    type: 'write',
    envelope: { command: { type: 'transact', transaction: { compares: [], success, failure: [] } } },
  });

  it('has no more transactions carried out than its connection may hold answers of, and gets all of them later', async () => {
    const answersMax = 3 * limits.transactionAnswerBytesMax;
    const bench = await setup({ clientQueueBytesMax: 1_000_000, clientAnswersInFlightBytesMax: answersMax });
    const client = await bench.connect();
    for (const name of ['big1', 'big2']) await client.ask(setOf(name, new Uint8Array(350_000)));
    const submit = vi.spyOn(bench.node, 'submit');
    client.socket.pause();
    bench.node.hold();
    const count = 200;
    client.send(...Array.from({ length: count }, () => transactOf({ type: 'range', selection: range })));
    await until(() => submit.mock.calls.length > 0);
    await turns(50);
    expect(submit.mock.calls.length).toBe(3);
    bench.node.release();
    let heldBytesMost = 0;
    for (let turn = 0; turn < 200; turn++) {
      await turns(1);
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
    }
    // 140 MB are asked for.
    expect(heldBytesMost).toBeGreaterThan(1_000_000);
    expect(heldBytesMost).toBeLessThan(1_000_000 + 3 * 750_000);
    client.socket.resume();
    await client.until(() => client.frames.length === count, 20_000);
    expect(submit.mock.calls.length).toBe(count);
    const answered = client.frames.filter(({ code, output }) => code === 'OK' && output?.type === 'transaction');
    expect(answered.length).toBe(count);
  });

  it('has transactions that answer little carried out all together', async () => {
    const bench = await setup({ clientAnswersInFlightBytesMax: 1 });
    const client = await bench.connect();
    const submit = vi.spyOn(bench.node, 'submit');
    bench.node.hold();
    const put = { type: 'put', key: bytesOf('a'), value: bytesOf('1'), lease: 0n } as const;
    const flags = { ignoreValue: false, ignoreLease: false, wantsPrevious: false };
    const counted = { type: 'range', selection: { ...range, countOnly: true } } as const;
    client.send(...Array.from({ length: 100 }, () => transactOf({ ...put, ...flags }, counted)));
    await until(() => submit.mock.calls.length === 100);
    bench.node.release();
    await client.until(() => client.frames.length === 100);
  });
});
