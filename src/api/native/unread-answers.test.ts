// What a native client costs that asks for more than it reads: its transactions wait, and none of their answers is lost.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClientPortBench, turns, until } from '../../../test/support/client-port-bench.js';
import { bytesOf, getOf, setOf } from '../../../test/support/native-test-client.js';
import { type Limits, limits } from '../../config/limits.js';
import { wholeSelection } from '../../service/whole-selection.js';
import type { RangeSelection, TransactionOperation } from '../../tree/transaction.js';
import type { NativeRequestBody } from '../../wire/native-messages.js';
import { writeRequestFrame } from '../../wire/native-request-codec.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  vi.useRealTimers();
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

  it('does not keep the room for a large request from others, by half of one and answers that it does not read', async () => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
    const bench = await setup({ clientArrivalBytesTotalMax: 1_100_000, clientQueueBytesMax: 100_000 });
    const [client, other] = [await bench.connect(), await bench.connect()];
    await client.ask(setOf('big', new Uint8Array(1_000_000)));
    client.socket.pause();
    bench.node.hold();
    client.send(...Array.from({ length: 20 }, () => getOf('big')));
    const large = new ProtoWriter(1024);
    writeRequestFrame(large, { id: client.nextId(), timeoutMs: 5_000, body: setOf('half', new Uint8Array(1_000_000)) });
    client.socket.write(large.finish().slice(0, 200_000));
    await until(() => bench.port.heldBytes >= 200_000);
    bench.node.release();
    await turns(200);
    await until(() => bench.port.heldBytes >= 1_100_000);
    client.socket.write(new Uint8Array(1));
    await turns(50);
    const [answered] = other.send(setOf('other', new Uint8Array(300_000)));
    await turns(50);
    expect(other.frames).toEqual([]);
    vi.advanceTimersByTime(4_000);
    await until(() => other.frames.length > 0);
    expect(other.frames).toMatchObject([{ id: answered, code: 'OK' }]);
  });

  it('gets no answer that many connections together may not hold, and others get theirs', async () => {
    const together = 20_000_000;
    const bench = await setup({ clientAnswersBytesTotalMax: together, clientQueueBytesTotalMax: 1_000_000 });
    const other = await bench.connect();
    for (const name of ['big1', 'big2', 'big3', 'big4']) await other.ask(setOf(name, new Uint8Array(1_000_000)));
    const clients = await Promise.all(Array.from({ length: 30 }, () => bench.connect()));
    for (const client of clients) {
      client.socket.pause();
      client.send(...Array.from({ length: 8 }, () => transactOf({ type: 'range', selection: range })));
    }
    let heldBytesMost = 0;
    for (let turn = 0; turn < 300; turn++) {
      await turns(1);
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
    }
    // 960 MB are asked for.
    expect(heldBytesMost).toBeGreaterThan(together / 2);
    expect(heldBytesMost).toBeLessThan(together + limits.answersHeldBytesMax);
    const { code } = await other.ask(transactOf({ type: 'range', selection: range }));
    expect(code).toBe('OUTCOME_UNKNOWN');
    expect((await other.ask(setOf('small', '1'))).code).toBe('OK');
    for (const client of clients) client.close();
    await until(() => bench.port.connectionCount === 1);
    expect((await other.ask(transactOf({ type: 'range', selection: range }))).code).toBe('OK');
  });
});
