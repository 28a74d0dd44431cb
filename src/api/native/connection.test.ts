import { afterEach, describe, expect, it, vi } from 'vitest';
import { ClientPortBench, turns, until } from '../../../test/support/client-port-bench.js';
import { bytesOf, getOf, NativeTestClient, setOf, textOf, watchOf } from '../../../test/support/native-test-client.js';
import { type Limits, limits } from '../../config/limits.js';
import { type Revision, type Zxid, zxidZero } from '../../shared/ids.js';
import { encodePreface, frameOf } from '../../wire/native-framing.js';
import type { NativeFrame, NativeRequestBody } from '../../wire/native-messages.js';
import { writeRequestFrame } from '../../wire/native-request-codec.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(overrides: Partial<Limits> = {}): Promise<ClientPortBench> {
  const bench = await ClientPortBench.open(overrides);
  opened.push(bench);
  return bench;
}

function listOf(
  prefix: string,
  options: Partial<Extract<NativeRequestBody, { type: 'list' }>> = {},
): NativeRequestBody {
  return {
    type: 'list',
    range: { type: 'prefix', prefix: bytesOf(prefix) },
    page: bytesOf(''),
    limit: 0,
    revision: 0 as Revision,
    keysOnly: false,
    local: false,
    seen: zxidZero,
    ...options,
  };
}

function keysOf(frame: NativeFrame): string[] {
  return frame.payload.type === 'list' ? frame.payload.records.map((record) => textOf(record.key)) : [];
}

/** Events as text, in the order in which they came. */
function eventsOf(frames: readonly NativeFrame[]): string[] {
  return frames.flatMap(({ payload }) =>
    payload.type === 'watchEvents'
      ? payload.events.map((event) => `${event.type} ${textOf(event.key)}@${event.modRevision}`)
      : [],
  );
}

describe('requests over TCP', () => {
  it('begin with a hello that states the limits and where the node stands', async () => {
    const bench = await setup();
    const client = await NativeTestClient.connect(bench.port.boundPort, { greet: false });
    bench.onClose(() => client.close());
    client.socket.write(encodePreface());
    const hello = await client.take(() => true);
    expect(hello).toMatchObject({ id: 0, code: 'OK', zxid: 0, revision: 1 });
    expect(hello.payload).toEqual({
      type: 'hello',
      protocolVersion: 1,
      serverId: 7_000_000_000_001,
      frameBytesMax: limits.requestFrameBytesMax,
      keyBytesMax: limits.keyBytesMax,
      valueBytesMax: limits.valueBytesMax,
      requestsInFlightMax: limits.requestsInFlightPerConnectionMax,
    });
  });

  it('add, set, get, compare-and-set and delete', async () => {
    const client = await (await setup()).connect();
    const write = (command: unknown): NativeRequestBody =>
      ({ type: 'write', envelope: { command } }) as unknown as NativeRequestBody;
    const key = bytesOf('a');
    expect(await client.ask(write({ type: 'add', key, value: bytesOf('1') }))).toMatchObject({
      code: 'OK',
      revision: 2,
    });
    expect(await client.ask(write({ type: 'add', key, value: bytesOf('1') }))).toMatchObject({ code: 'KEY_EXISTS' });
    const got = await client.ask(getOf('a'));
    expect(got).toMatchObject({ code: 'OK', revision: 2, payload: { type: 'record', record: { version: 1 } } });
    expect(got.zxid).toBeGreaterThan(0);
    const mismatch = await client.ask(write({ type: 'set', key, value: bytesOf('2'), expectedRevision: 9 }));
    expect(mismatch.code).toBe('REVISION_MISMATCH');
    const swapped = await client.ask(write({ type: 'set', key, value: bytesOf('2'), expectedRevision: 2 }));
    expect(swapped).toMatchObject({ code: 'OK', revision: 3 });
    expect(await client.ask(write({ type: 'delete', key }))).toMatchObject({ code: 'OK', revision: 4 });
    expect(await client.ask(write({ type: 'delete', key }))).toMatchObject({ code: 'KEY_NOT_FOUND' });
    expect(await client.ask(getOf('a'))).toMatchObject({ code: 'KEY_NOT_FOUND', payload: { type: 'none' } });
  });

  it('repeated with the same identity are executed once', async () => {
    const bench = await setup();
    const first = await (await bench.connect()).ask(setOf('a', '1', 5));
    const again = await (await bench.connect()).ask(setOf('a', '1', 5));
    expect([again.code, again.revision, again.zxid]).toEqual([first.code, first.revision, first.zxid]);
  });

  it('list pages by prefix, limit, revision and keys only', async () => {
    const client = await (await setup()).connect();
    for (const name of ['a/1', 'a/2', 'a/3', 'b/1']) await client.ask(setOf(name, 'value'));
    const page = await client.ask(listOf('a/', { limit: 2 }));
    expect(keysOf(page)).toEqual(['a/1', 'a/2']);
    const next = page.payload.type === 'list' ? page.payload.next : bytesOf('');
    await client.ask(setOf('a/3', 'changed'));
    const rest = await client.ask(listOf('a/', { limit: 2, page: next, revision: page.revision, keysOnly: true }));
    expect(rest.payload).toMatchObject({
      type: 'list',
      next: bytesOf(''),
      records: [{ modRevision: 4, value: bytesOf('') }],
    });
    const one = await client.ask(listOf('', { range: { type: 'single', key: bytesOf('b/1') } }));
    expect(keysOf(one)).toEqual(['b/1']);
    const past = await client.ask(listOf('', { revision: 99 as Revision }));
    expect(past.code).toBe('FUTURE_REVISION');
    const stray = await client.ask(listOf('b', { page: bytesOf('a') }));
    expect(stray).toMatchObject({ code: 'INVALID_ARGUMENT', message: 'The page begins before the range' });
  });

  it('refuse empty and oversized keys and values, and the connection goes on', async () => {
    const client = await (await setup()).connect();
    expect(await client.ask(setOf('', '1'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await client.ask(setOf('k'.repeat(901), '1'))).toMatchObject({
      code: 'TOO_LARGE',
      message: 'The key has 901 bytes: the limit is 900',
    });
    const value = new Uint8Array(limits.valueBytesMax + 1);
    expect(await client.ask(setOf('k', value))).toMatchObject({ code: 'TOO_LARGE' });
    expect(await client.ask(setOf('k', value.subarray(1)))).toMatchObject({ code: 'OK' });
    const got = await client.ask(getOf('k'));
    expect(got.payload.type === 'record' && got.payload.record.value.length).toBe(limits.valueBytesMax);
  });

  it('tell status and digests, and answer requests of an unknown kind', async () => {
    const client = await (await setup()).connect();
    await client.ask(setOf('a', '1'));
    const status = await client.ask({ type: 'status' });
    expect(status.payload).toMatchObject({ type: 'status', status: { role: 'leader', serving: true, epoch: 1 } });
    const digest = await client.ask({ type: 'digest' });
    expect(digest.payload).toMatchObject({ type: 'digest', digest: { revision: 2 } });
    const all = await client.ask({ type: 'digestAll' });
    expect(all.payload).toMatchObject({ type: 'digestAll', digests: [{ revision: 2 }] });
    // Request 77 of kind 20.
    client.socket.write(frameOf(Uint8Array.of(8, 77, 0xa2, 1, 0)));
    expect(await client.take((frame) => frame.id === 77)).toMatchObject({ code: 'UNSUPPORTED' });
  });

  it('list the leases that there are, in order', async () => {
    const client = await (await setup()).connect();
    for (const id of [7n, -1n, 300n]) {
      await client.ask({ type: 'write', envelope: { command: { type: 'leaseGrant', id, ttlSeconds: 60 } } });
    }
    const listed = await client.ask({ type: 'listLeases', local: false, seen: zxidZero });
    expect(listed.payload).toEqual({ type: 'leases', ids: [7n, 300n, -1n] });
  });

  it('wait for the state that the client has seen elsewhere', async () => {
    const bench = await setup();
    const client = await bench.connect();
    const { zxid } = await client.ask(setOf('a', '1'));
    const [waiting] = client.send(getOf('a', true, (zxid + 1) as Zxid));
    await client.ask(setOf('a', '2'));
    const got = await client.take((frame) => frame.id === waiting);
    expect(got.payload.type === 'record' && textOf(got.payload.record.value)).toBe('2');
  });

  it('arriving byte by byte are answered like any others', async () => {
    const bench = await setup();
    const client = await bench.connect();
    const writer = new ProtoWriter(64);
    writeRequestFrame(writer, { id: 9, timeoutMs: 0, body: setOf('a', 'bytes') });
    for (const byte of writer.finish()) {
      client.socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await client.take((frame) => frame.id === 9)).toMatchObject({ code: 'OK' });
  });

  it('in thousands in flight are answered once each, in few writes', async () => {
    const client = await (await setup()).connect();
    const count = 20_000;
    const bodies = Array.from({ length: count }, (_, index) => setOf(`k${index % 50}`, `v${index}`));
    const ids = client.send(...bodies);
    await client.until(() => client.frames.length === count);
    expect(new Set(client.frames.map((frame) => frame.id))).toEqual(new Set(ids));
    expect(client.frames.every((frame) => frame.code === 'OK')).toBe(true);
    const revisions = client.frames.map((frame) => frame.revision);
    expect(new Set(revisions).size).toBe(count);
  });

  it('past the number that may be in flight wait in the socket, not in memory', async () => {
    const bench = await setup({ requestsInFlightPerConnectionMax: 10 });
    const client = await bench.connect();
    bench.node.hold();
    let submitted = 0;
    const submit = bench.node.submit.bind(bench.node);
    bench.node.submit = (envelope, deadlineMs, done) => {
      submitted++;
      submit(envelope, deadlineMs, done);
    };
    client.send(...Array.from({ length: 500 }, () => setOf('a', '1')));
    await until(() => submitted === 10);
    await turns(20);
    expect(submitted).toBe(10);
    bench.node.release();
    await client.until(() => client.frames.length === 500);
    expect(submitted).toBe(500);
  });
});

describe('watches', () => {
  it('tell every change in order, and stop when cancelled', async () => {
    const bench = await setup();
    const client = await bench.connect();
    const [watch] = client.send(watchOf('a'));
    expect(await client.take((frame) => frame.id === watch)).toMatchObject({ code: 'OK', revision: 1 });
    for (const value of ['1', '2', '3']) await client.ask(setOf('a', value));
    await client.ask({ type: 'write', envelope: { command: { type: 'delete', key: bytesOf('a') } } });
    await client.until(() => eventsOf(client.frames).length === 4);
    expect(eventsOf(client.frames)).toEqual(['put a@2', 'put a@3', 'put a@4', 'delete a@5']);
    expect(client.frames.every((frame) => frame.id === watch)).toBe(true);
    client.frames.length = 0;
    expect(await client.ask({ type: 'cancelWatch', watch: watch ?? 0 })).toMatchObject({ code: 'OK' });
    await client.ask(setOf('a', '4'));
    expect(client.frames).toEqual([]);
  });

  it('begin with the state when asked to', async () => {
    const bench = await setup();
    const client = await bench.connect();
    await client.ask(setOf('a', '1'));
    const [watch] = client.send(watchOf('', { withInitial: true }));
    const initial = await client.take((frame) => frame.payload.type === 'watchInitial');
    expect(initial).toMatchObject({ id: watch, revision: 2, payload: { last: true, records: [{ modRevision: 2 }] } });
    await client.ask(setOf('b', '1'));
    await client.until(() => eventsOf(client.frames).length === 1);
  });

  it('end with COMPACTED, and their id may be used again', async () => {
    const bench = await setup();
    const client = await bench.connect();
    for (const value of ['1', '2', '3']) await client.ask(setOf('a', value));
    await client.ask({ type: 'write', envelope: { command: { type: 'compact', revision: 4 as Revision } } });
    client.send(watchOf('', { fromRevision: 2 }));
    const ended = await client.take((frame) => frame.payload.type === 'watchEnded');
    expect(ended.code).toBe('COMPACTED');
  });

  it('are bounded per connection, and an id names one of them', async () => {
    const bench = await setup({ watchesPerConnectionMax: 2 });
    const client = await bench.connect();
    await client.ask(watchOf('a'));
    await client.ask(watchOf('b'));
    expect(await client.ask(watchOf('c'))).toMatchObject({ code: 'OVERLOADED' });
    const writer = new ProtoWriter(64);
    writeRequestFrame(writer, { id: 1, timeoutMs: 0, body: watchOf('d') });
    client.socket.write(writer.finish());
    expect(await client.take((frame) => frame.id === 1)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('of a client that does not read cost bounded memory, and lose nothing once it reads', async () => {
    const bench = await setup();
    const slow = await bench.connect();
    const writer = await bench.connect();
    const watches = 5;
    for (let index = 0; index < watches; index++) await slow.ask(watchOf('k'));
    slow.socket.pause();
    const value = new Uint8Array(100_000);
    const count = 100;
    let heldBytesMost = 0;
    for (let index = 0; index < count; index++) {
      await writer.ask(setOf(`k${index % 7}`, value));
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
    }
    // 50 MB are to be told; what is held is a queue and at most one page more.
    expect(heldBytesMost).toBeGreaterThan(limits.watchQueueBytesMax);
    expect(heldBytesMost).toBeLessThan(limits.watchQueueBytesMax + limits.watchPageBytes + 300_000);
    slow.socket.resume();
    await slow.until(() => eventsOf(slow.frames).length === count * watches);
    for (let id = 1; id <= watches; id++) {
      const events = eventsOf(slow.frames.filter((frame) => frame.id === id));
      expect(events).toEqual(Array.from({ length: count }, (_, index) => `put k${index % 7}@${index + 2}`));
    }
    expect(bench.node.tree.revision).toBe(count + 1);
  });

  it('and subscriptions are let go when the client vanishes', async () => {
    const bench = await setup();
    const client = await bench.connect();
    await client.ask(watchOf(''));
    await client.ask({ type: 'subscribeBroadcasts' });
    expect(bench.node.broadcastListeners).toBe(1);
    bench.node.hold();
    client.send(setOf('a', '1'), getOf('a'));
    client.socket.resetAndDestroy();
    await until(() => bench.port.connectionCount === 0);
    expect(bench.node.broadcastListeners).toBe(0);
    bench.node.release();
    const other = await bench.connect();
    expect(await other.ask({ type: 'status' })).toMatchObject({ code: 'OK' });
  });
});

describe('broadcasts', () => {
  it('reach whoever subscribed, once, until unsubscribed', async () => {
    const bench = await setup();
    const [sender, listener, deaf] = [await bench.connect(), await bench.connect(), await bench.connect()];
    await listener.ask({ type: 'subscribeBroadcasts' });
    await listener.ask({ type: 'subscribeBroadcasts' });
    await sender.ask({ type: 'broadcast', payload: bytesOf('hello') });
    const heard = await listener.take((frame) => frame.payload.type === 'broadcast');
    expect(heard).toMatchObject({ id: 0, payload: { payload: bytesOf('hello') } });
    await listener.ask({ type: 'unsubscribeBroadcasts' });
    await sender.ask({ type: 'broadcast', payload: bytesOf('again') });
    await listener.ask({ type: 'status' });
    expect([...listener.frames, ...deaf.frames]).toEqual([]);
    const large = { type: 'broadcast', payload: new Uint8Array(limits.broadcastBytesMax + 1) } as const;
    expect(await sender.ask(large)).toMatchObject({ code: 'TOO_LARGE' });
  });

  it('that a slow client missed are counted for it', async () => {
    const bench = await setup({ watchQueueBytesMax: 100_000 });
    const [sender, listener] = [await bench.connect(), await bench.connect()];
    await listener.ask({ type: 'subscribeBroadcasts' });
    listener.socket.pause();
    const payload = new Uint8Array(60_000);
    const sent = 400;
    for (let index = 0; index < sent; index++) await sender.ask({ type: 'broadcast', payload });
    listener.socket.resume();
    const missed = await listener.take((frame) => frame.code === 'OVERLOADED');
    const count = Number(/^(\d+) broadcasts were left out/.exec(missed.message)?.[1]);
    expect(count).toBeGreaterThan(0);
    expect(listener.frames.length).toBe(sent - count);
  });
});

describe('many clients together', () => {
  const frame = frameOf(new Uint8Array(2_000_000));

  it('that half send large requests take a bounded sum of memory and a bounded time, and are told so', async () => {
    const bench = await setup({ clientArrivalBytesTotalMax: 2_500_000, requestArrivalTimeoutMs: 200 });
    const witness = await bench.connect();
    const clients = await Promise.all(Array.from({ length: 30 }, () => bench.connect()));
    for (const client of clients) client.socket.write(frame.subarray(0, 1_900_000));
    let heldBytesMost = 0;
    while (clients.some((client) => !client.closed)) {
      await turns(1);
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
      expect(await witness.ask(setOf('a', '1'))).toMatchObject({ code: 'OK' });
    }
    // One at a time has found room; of each other at most one read of the socket is held. 57 MB were sent.
    expect(heldBytesMost).toBeLessThan(2 * 2_000_000 + 30 * 65_536);
    for (const client of clients) expect(client.frames[0]).toMatchObject({ id: 0, code: 'OVERLOADED' });
    await until(() => bench.port.connectionCount === 1);
    await until(() => bench.port.heldBytes === 0);
    expect(await witness.ask(setOf('a', new Uint8Array(1_500_000)))).toMatchObject({ code: 'OK' });
  });

  it('whose large requests find no room at once are served one after the other', async () => {
    const bench = await setup({ clientArrivalBytesTotalMax: 2_100_000 });
    const first = await bench.connect();
    first.socket.write(frame.subarray(0, 1_000_000));
    await until(() => bench.port.heldBytes > 900_000);
    const value = new Uint8Array(1_500_000).fill(7);
    const others = await Promise.all(Array.from({ length: 4 }, () => bench.connect()));
    const answers = others.map((client, index) => client.ask(setOf(`k${index}`, value)));
    const small = await bench.connect();
    expect(await small.ask(setOf('small', '1'))).toMatchObject({ code: 'OK' });
    expect(others.every((client) => client.frames.length === 0)).toBe(true);
    first.close();
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ code: 'OK' });
    const { payload } = await small.ask(getOf('k3'));
    expect(payload.type === 'record' && Buffer.compare(payload.record.value, value)).toBe(0);
    await until(() => bench.port.heldBytes === 0);
  });
});

describe('a client that does not read', () => {
  it('is not read from any more, and gets all of its answers later', async () => {
    const bench = await setup({ clientQueueBytesMax: 1_000_000 });
    const client = await bench.connect();
    await client.ask(setOf('big', new Uint8Array(500_000)));
    client.socket.pause();
    const count = 200;
    const reads = [vi.spyOn(bench.node.tree, 'get'), vi.spyOn(bench.node.tree, 'range')];
    const readCount = (): number => reads.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    client.send(...Array.from({ length: count }, (_, index) => (index % 2 === 0 ? getOf('big') : listOf('big'))));
    let heldBytesMost = 0;
    for (let turn = 0; turn < 200; turn++) {
      await turns(1);
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
    }
    // 100 MB are asked for.
    expect(heldBytesMost).toBeGreaterThan(1_000_000);
    expect(heldBytesMost).toBeLessThan(2_500_000);
    // Nothing is read that cannot be answered: reading it all in one turn would hold the event loop up.
    expect(readCount()).toBeLessThan(20);
    client.socket.resume();
    await client.until(() => client.frames.length === count, 20_000);
    expect(readCount()).toBe(count);
    expect(client.frames.every((frame) => frame.code === 'OK' && frame.payload.type !== 'none')).toBe(true);
  });
});
