// Snapshots over the native protocol: whole, of one state, no faster than they are asked for, and let go when nobody asks.

import { afterEach, describe, expect, it } from 'vitest';
import { ClientPortBench, until } from '../../../test/support/client-port-bench.js';
import { type NativeTestClient, setOf } from '../../../test/support/native-test-client.js';
import { readAll } from '../../../test/support/snapshot-files.js';
import { tcpTransport } from '../../client/tcp-transport.js';
import { ZabtreeClient } from '../../client/zabtree-client.js';
import type { Limits } from '../../config/limits.js';
import type { NativeFrame } from '../../wire/native-messages.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(overrides: Partial<Limits> = {}): Promise<ClientPortBench> {
  const bench = await ClientPortBench.open({ snapshotChunkBytes: 4_096, stateCopiesMax: 1, ...overrides });
  opened.push(bench);
  return bench;
}

async function fill(client: NativeTestClient, valueBytes: number): Promise<void> {
  for (let index = 0; index < 20; index++) await client.ask(setOf(`key ${index}`, new Uint8Array(valueBytes)));
}

async function open(client: NativeTestClient): Promise<number> {
  const { code, payload } = await client.ask({ type: 'openSnapshot' });
  if (payload.type !== 'snapshot') throw new Error(`Cannot open a snapshot: ${code}`);
  return payload.snapshot;
}

const read = (client: NativeTestClient, snapshot: number): Promise<NativeFrame> =>
  client.ask({ type: 'readSnapshot', snapshot });

async function rest(client: NativeTestClient, snapshot: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { payload } = await read(client, snapshot);
    if (payload.type !== 'snapshot') throw new Error('Cannot read a snapshot');
    expect(payload.bytes.length).toBeLessThanOrEqual(4_096);
    parts.push(payload.bytes);
    if (payload.last) return Buffer.concat(parts);
  }
}

describe('a snapshot', () => {
  it('is of the state of its beginning, while others write and it is read', async () => {
    const bench = await setup();
    const client = await bench.connect();
    await fill(client, 3_000);
    const snapshot = await open(client);
    await fill(client, 100);
    const { versions } = readAll(await rest(client, snapshot));
    expect(versions.map(({ record }) => record?.value.length)).toEqual(Array(20).fill(3_000));
    expect(await read(client, snapshot)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('comes whole through the client library', async () => {
    const bench = await setup();
    await fill(await bench.connect(), 3_000);
    const client = new ZabtreeClient({ peers: [`127.0.0.1:${bench.port.boundPort}`], transport: tcpTransport });
    bench.onClose(() => client.close());
    const parts: Uint8Array[] = [];
    for await (const part of client.snapshot()) parts.push(part);
    expect(readAll(Buffer.concat(parts)).versions).toHaveLength(20);
  });

  it('is one of so many, known to its connection alone, and let go with it', async () => {
    const bench = await setup();
    const [first, second] = [await bench.connect(), await bench.connect()];
    const snapshot = await open(first);
    expect(await second.ask({ type: 'openSnapshot' })).toMatchObject({ code: 'OVERLOADED' });
    expect(await read(second, snapshot)).toMatchObject({ code: 'INVALID_ARGUMENT' });
    first.close();
    await until(() => bench.port.connectionCount === 1);
    await rest(second, await open(second));
  });

  it.each([{ stateCopyStallMs: 20 }, { stateCopyTimeoutMs: 20 }])(
    'ends when nobody asks for more: %j',
    async (changed) => {
      const bench = await setup(changed);
      const [slow, next] = [await bench.connect(), await bench.connect()];
      const snapshot = await open(slow);
      let answer = await next.ask({ type: 'openSnapshot' });
      while (answer.code === 'OVERLOADED') answer = await next.ask({ type: 'openSnapshot' });
      expect(answer.code).toBe('OK');
      expect(await read(slow, snapshot)).toMatchObject({ code: 'TIMEOUT' });
    },
  );
});
