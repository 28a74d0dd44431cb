// The client against scripted servers on real sockets: what it sends again, where, and with which identity, when a peer
// dies, hangs, or cannot serve; and what a caller is told in the end.

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { StoreError } from '../shared/errors.js';
import type { Revision, ServerId, Zxid } from '../shared/ids.js';
import { writeFrame } from '../wire/native-frame-encoder.js';
import { encodePreface, FrameSplitter, prefaceBytes } from '../wire/native-framing.js';
import type { NativeEvent, NativeFrame, NativePayload, NativeRequestBody } from '../wire/native-messages.js';
import { readRequest } from '../wire/native-request-codec.js';
import { ProtoReader } from '../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../wire/protobuf/proto-writer.js';
import type { ConnectionEvent } from './peer-rotation.js';
import { tcpTransport } from './tcp-transport.js';
import type { WatchUpdate } from './watch-stream.js';
import { ZabtreeClient } from './zabtree-client.js';

interface Asked {
  readonly id: number;
  readonly timeoutMs: number;
  readonly body: NativeRequestBody;
  reply(frame: Partial<NativeFrame>): void;
  hangUp(): void;
}

/** Speaks the protocol as a server does, and answers as the script says. */
class ScriptedServer {
  readonly asked: Asked[] = [];
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(script: (asked: Asked, server: ScriptedServer) => void, hello: Partial<NativeFrame> = {}) {
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.#sockets.delete(socket));
      const splitter = new FrameSplitter(1e7);
      let greeted = false;
      socket.on('data', (chunk) => {
        splitter.push(chunk);
        if (!greeted) {
          if (splitter.take(prefaceBytes) === undefined) return;
          greeted = true;
          socket.write(encodePreface());
          send(socket, { payload: helloPayload, zxid: 7 as Zxid, ...hello });
        }
        for (let body = splitter.next(); body !== undefined; body = splitter.next()) {
          const request = readRequest(new ProtoReader(body));
          if (request.body.type === 'unknown') throw new Error('unknown request');
          const asked: Asked = {
            id: request.id,
            timeoutMs: request.timeoutMs,
            body: request.body,
            reply: (frame) => send(socket, { id: request.id, ...frame }),
            hangUp: () => socket.destroy(),
          };
          this.asked.push(asked);
          script(asked, this);
        }
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const helloPayload: NativePayload = {
  type: 'hello',
  protocolVersion: 1,
  serverId: 1 as ServerId,
  frameBytesMax: 2 ** 21,
  keyBytesMax: 900,
  valueBytesMax: 2 ** 20,
  requestsInFlightMax: 8192,
};

function send(socket: Socket, frame: Partial<NativeFrame>): void {
  const writer = new ProtoWriter(256);
  writeFrame(writer, {
    id: 0,
    code: 'OK',
    message: '',
    zxid: 0 as Zxid,
    revision: 0 as Revision,
    payload: { type: 'none' },
    ...frame,
  });
  socket.write(writer.finish());
}

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serverWith(script: (asked: Asked, server: ScriptedServer) => void, hello?: Partial<NativeFrame>) {
  const server = new ScriptedServer(script, hello);
  cleanups.push(() => server.close());
  return { server, peer: await server.listen() };
}

/** An address at which nobody listens any more. */
async function deadPeer(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

function clientOf(
  peers: string[],
  options: { timeoutMs?: number; unreachableRoundsMax?: number; onConnection?: (event: ConnectionEvent) => void } = {},
) {
  const client = new ZabtreeClient({ peers, transport: tcpTransport, ...options });
  cleanups.push(() => client.close());
  return client;
}

async function failureOf(promise: Promise<unknown>): Promise<StoreError> {
  return await promise.then(
    () => Promise.reject(new Error('expected a failure')),
    (error: StoreError) => error,
  );
}

const ok = (asked: Asked): void => asked.reply({ revision: 5 as Revision, zxid: 9 as Zxid });

function identitiesOf(server: ScriptedServer) {
  return server.asked.flatMap(({ body }) => (body.type === 'write' ? [body.envelope.identity] : []));
}

describe('ZabtreeClient', () => {
  it('sends a write with an identity born at the hello, and acknowledges what was answered', async () => {
    const { server, peer } = await serverWith(ok);
    const client = clientOf([peer]);
    expect(await client.set('a', '1')).toEqual({ revision: 5, zxid: 9 });
    await client.set('b', '2');
    const [first, second] = identitiesOf(server);
    expect(first).toMatchObject({ request: 1, acknowledgedBelow: 1, bornAt: 7 });
    expect(second).toEqual({ ...first, request: 2, acknowledgedBelow: 2 });
  });

  it('tries the next peer when one refuses the connection', async () => {
    const { peer } = await serverWith(ok);
    const events: ConnectionEvent[] = [];
    const client = clientOf([await deadPeer(), peer], { onConnection: (event) => events.push(event) });
    await client.set('a', '1');
    expect(events.map(({ type }) => type)).toEqual(['failed', 'connected']);
    expect(client.peer).toBe(peer);
  });

  it('repeats a write of a lost connection on another peer, with the same identity', async () => {
    const dying = await serverWith((asked) => asked.hangUp());
    const living = await serverWith(ok);
    const client = clientOf([dying.peer, living.peer]);
    await client.set('a', '1');
    const [lost] = identitiesOf(dying.server);
    expect(lost).toBeDefined();
    expect(lost?.repeated).toBe(false);
    expect(identitiesOf(living.server)).toEqual([{ ...lost, repeated: true }]);
  });

  it('repeats a write that was answered OUTCOME_UNKNOWN or NO_QUORUM, with the same identity', async () => {
    const codes = ['NO_QUORUM', 'OUTCOME_UNKNOWN', 'OK'] as const;
    const { server, peer } = await serverWith((asked, { asked: all }) =>
      asked.reply({ code: codes[all.length - 1] ?? 'OK' }),
    );
    await clientOf([peer]).add('a', '1');
    const identities = identitiesOf(server);
    expect(identities).toHaveLength(3);
    expect(new Set(identities.map((identity) => identity?.request))).toEqual(new Set([1]));
  });

  it('tells a refusal of a repeated write as it is, and any other failure as OUTCOME_UNKNOWN', async () => {
    for (const [code, told] of [
      ['KEY_EXISTS', 'KEY_EXISTS'],
      ['NO_SPACE', 'OUTCOME_UNKNOWN'],
    ] as const) {
      const dying = await serverWith((asked) => asked.hangUp());
      const refusing = await serverWith((asked) => asked.reply({ code, message: 'because' }));
      const error = await failureOf(clientOf([dying.peer, refusing.peer]).add('a', '1'));
      expect(error.code).toBe(told);
      expect(error.message).toContain('because');
    }
    const { peer } = await serverWith((asked) => asked.reply({ code: 'NO_SPACE', message: 'because' }));
    expect((await failureOf(clientOf([peer]).add('a', '1'))).code).toBe('NO_SPACE');
  });

  it('tells OUTCOME_UNKNOWN when a write was sent once and nobody could say what became of it', async () => {
    const { peer } = await serverWith((asked) => asked.hangUp());
    const error = await failureOf(clientOf([peer], { timeoutMs: 300 }).set('a', '1'));
    expect(error.code).toBe('OUTCOME_UNKNOWN');
  });

  it('tells NO_QUORUM at the deadline when nothing can have happened', async () => {
    const { peer } = await serverWith((asked) => asked.reply({ code: 'NO_QUORUM', message: 'no leader' }));
    const startedMs = performance.now();
    const error = await failureOf(clientOf([peer], { timeoutMs: 200 }).set('a', '1'));
    expect(error).toMatchObject({ code: 'NO_QUORUM', message: 'no leader' });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(195);
  });

  it('tells TIMEOUT when a peer stays silent', async () => {
    const { peer } = await serverWith(() => undefined);
    const error = await failureOf(clientOf([peer], { timeoutMs: 150 }).get('a'));
    expect(error.code).toBe('TIMEOUT');
  });

  it('leaves a peer that does not answer for one that does, before the deadline', async () => {
    const silent = await serverWith(() => undefined);
    const living = await serverWith(ok);
    const result = await clientOf([silent.peer, living.peer], { timeoutMs: 4_100 }).set('a', '1');
    expect(result.revision).toBe(5);
  }, 10_000);

  it('leaves a peer without a quorum for one that has it', async () => {
    const cutOff = await serverWith((asked) => asked.reply({ code: 'NO_QUORUM' }));
    const living = await serverWith(ok);
    const result = await clientOf([cutOff.peer, living.peer]).set('a', '1');
    expect(result.revision).toBe(5);
  });

  it('gives up early when told so and nobody listens', async () => {
    const startedMs = performance.now();
    const peers = [await deadPeer(), await deadPeer()];
    const error = await failureOf(clientOf(peers, { unreachableRoundsMax: 2 }).get('a'));
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.message).toContain('ECONNREFUSED');
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('says what a server says that refuses the connection', async () => {
    const { peer } = await serverWith(ok, {
      code: 'OVERLOADED',
      message: 'too many connections',
      payload: { type: 'none' },
    });
    const error = await failureOf(clientOf([peer], { unreachableRoundsMax: 1 }).get('a'));
    expect(error.message).toContain('too many connections');
  });

  it('keeps the order of pipelined writes and merges their answers by id', async () => {
    const held: Asked[] = [];
    const { server, peer } = await serverWith((asked) => {
      held.push(asked);
      if (held.length === 100) for (const one of held.reverse()) one.reply({ revision: one.id as Revision });
    });
    const client = clientOf([peer]);
    const results = await Promise.all(Array.from({ length: 100 }, (_, i) => client.set(`k${i}`, '')));
    expect(results.map(({ revision }) => revision)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(identitiesOf(server).map((identity) => identity?.request)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  });

  it('reads with the highest zxid that it has seen', async () => {
    const { server, peer } = await serverWith(ok);
    const client = clientOf([peer]);
    await client.set('a', '1');
    await client.get('a', { local: true });
    expect(server.asked[1]?.body).toMatchObject({ type: 'get', seen: 9, local: true });
  });

  it('gives no record for a missing key, and copies of what is there', async () => {
    const key = new TextEncoder().encode('a');
    const record = { key, value: Uint8Array.of(0, 255), createRevision: 2, modRevision: 3, version: 2, lease: 0n };
    const { peer } = await serverWith((asked, { asked: all }) =>
      asked.reply(
        all.length === 1
          ? { code: 'KEY_NOT_FOUND', revision: 4 as Revision }
          : { payload: { type: 'record', record: record as never } },
      ),
    );
    const client = clientOf([peer]);
    expect(await client.get('a')).toEqual({ record: undefined, revision: 4, zxid: 0 });
    expect((await client.get('a')).record).toEqual(record);
  });

  it('takes a new session after a write whose outcome the server could not tell', async () => {
    const { server, peer } = await serverWith((asked) => {
      const write = asked.body.type === 'write' ? asked.body.envelope : undefined;
      const failing = write?.command.type === 'set' && write.command.key[0] === 'x'.charCodeAt(0);
      asked.reply(failing ? { code: 'OUTCOME_UNKNOWN', message: 'evicted' } : { zxid: 50 as Zxid });
    });
    const client = clientOf([peer], { timeoutMs: 150 });
    expect((await failureOf(client.set('x', '1'))).code).toBe('OUTCOME_UNKNOWN');
    await client.set('y', '1');
    const identities = identitiesOf(server);
    expect(identities.at(-1)?.client).not.toBe(identities[0]?.client);
    expect(identities.at(-1)).toMatchObject({ request: 1, bornAt: 50 });
  });

  it('refuses what cannot fit a frame before it sends it', async () => {
    const { server, peer } = await serverWith(ok);
    const client = clientOf([peer]);
    await client.set('a', '1');
    expect((await failureOf(client.set('a', new Uint8Array(3e6)))).code).toBe('TOO_LARGE');
    expect(server.asked).toHaveLength(1);
  });

  it('fails what is unanswered when it is closed', async () => {
    const { server, peer } = await serverWith(() => undefined);
    const client = clientOf([peer]);
    const write = failureOf(client.set('a', '1'));
    const read = failureOf(client.get('a'));
    await expect.poll(() => server.asked.length, { timeout: 15_000 }).toBe(2);
    client.close();
    expect((await write).code).toBe('OUTCOME_UNKNOWN');
    expect((await read).code).toBe('UNAVAILABLE');
    expect((await failureOf(client.get('a'))).code).toBe('UNAVAILABLE');
  });
});

function put(revision: number, key = 'k'): NativeEvent {
  const bytes = new TextEncoder().encode(key);
  const modRevision = revision as Revision;
  const record = { key: bytes, value: bytes, createRevision: modRevision, modRevision, version: 1, lease: 0n };
  return { type: 'put', key: bytes, modRevision, record };
}

async function take(watch: AsyncIterable<WatchUpdate>, events: number): Promise<number[]> {
  const revisions: number[] = [];
  for await (const update of watch) {
    if (update.type === 'events') revisions.push(...update.events.map(({ modRevision }) => modRevision));
    if (revisions.length >= events) break;
  }
  return revisions;
}

describe('watch()', () => {
  it('goes on after a lost connection at the first revision not delivered, without loss or repetition', async () => {
    const script = (asked: Asked, server: ScriptedServer): void => {
      if (asked.body.type === 'get') asked.reply({ code: 'KEY_NOT_FOUND', revision: 10 as Revision });
      if (asked.body.type !== 'watch') return;
      asked.reply({});
      if (server.connections === 1) {
        asked.reply({ payload: { type: 'watchEvents', events: [put(11), put(12)], more: false } });
        asked.reply({ payload: { type: 'watchEvents', events: [put(13, 'a')], more: true } });
        setImmediate(() => asked.hangUp());
      } else {
        asked.reply({
          payload: { type: 'watchEvents', events: [put(12), put(13, 'a'), put(13, 'b'), put(14)], more: false },
        });
      }
    };
    const { server, peer } = await serverWith(script);
    const watch = clientOf([peer]).watch();
    expect(await take(watch, 5)).toEqual([11, 12, 13, 13, 14]);
    const starts = server.asked.flatMap(({ body }) => (body.type === 'watch' ? [body.fromRevision] : []));
    expect(starts).toEqual([11, 13]);
  });

  it('reads the initial state page by page at one revision, then follows from the next', async () => {
    const record = (key: string) => put(5, key).record as NonNullable<NativeEvent['record']>;
    const script = (asked: Asked): void => {
      const { body } = asked;
      if (body.type === 'list') {
        const first = body.page.length === 0;
        const next = first ? new TextEncoder().encode('b') : new Uint8Array(0);
        asked.reply({
          revision: 20 as Revision,
          payload: { type: 'list', records: [record(first ? 'a' : 'b')], next },
        });
      } else if (body.type === 'watch') {
        asked.reply({});
        asked.reply({ payload: { type: 'watchEvents', events: [put(21)], more: false } });
      }
    };
    const { server, peer } = await serverWith(script);
    const updates: WatchUpdate[] = [];
    for await (const update of clientOf([peer]).watch({ prefix: '', initial: true })) {
      updates.push(update);
      if (update.type === 'events') break;
    }
    expect(
      updates.map((update) => (update.type === 'initial' ? [update.records.length, update.last] : update.revision)),
    ).toEqual([[1, false], [1, true], 21]);
    expect(server.asked.map(({ body }) => (body.type === 'list' ? body.revision : body.type))).toEqual(
      [0, 20, 'watch', 'cancelWatch'].slice(0, server.asked.length),
    );
  });

  it('ends with the error when its past is compacted', async () => {
    const { peer } = await serverWith((asked) => {
      if (asked.body.type === 'get') asked.reply({ revision: 10 as Revision, code: 'KEY_NOT_FOUND' });
      else asked.reply({ code: 'COMPACTED', message: 'compacted to 8' });
    });
    const error = await failureOf(take(clientOf([peer]).watch({ fromRevision: 3 }), 1));
    expect(error).toMatchObject({ code: 'COMPACTED' });
  });

  it('pauses for a slow consumer and goes on from history', async () => {
    const batch = (from: number): NativeEvent[] => Array.from({ length: 6_000 }, (_, i) => put(from + i));
    const script = (asked: Asked): void => {
      const { body } = asked;
      if (body.type === 'get') asked.reply({ code: 'KEY_NOT_FOUND', revision: 0 as Revision });
      if (body.type === 'cancelWatch') asked.reply({});
      if (body.type !== 'watch') return;
      asked.reply({});
      for (let from: number = body.fromRevision; from < 30_000; from += 6_000) {
        asked.reply({ payload: { type: 'watchEvents', events: batch(from), more: false } });
      }
    };
    const { server, peer } = await serverWith(script);
    const watch = clientOf([peer]).watch();
    await expect
      .poll(() => server.asked.some(({ body }) => body.type === 'cancelWatch'), { timeout: 15_000 })
      .toBe(true);
    const revisions = await take(watch, 30_000);
    expect(revisions).toEqual(Array.from({ length: 30_000 }, (_, i) => i + 1));
  });
});

describe('onBroadcast()', () => {
  it('subscribes anew on every connection', async () => {
    const script = (asked: Asked, server: ScriptedServer): void => {
      if (asked.body.type !== 'subscribeBroadcasts') return;
      asked.reply({});
      asked.reply({ id: 0, payload: { type: 'broadcast', payload: Uint8Array.of(server.connections) } });
      if (server.connections === 1) setImmediate(() => asked.hangUp());
    };
    const { peer } = await serverWith(script);
    const received: number[] = [];
    clientOf([peer]).onBroadcast((payload) => received.push(...payload));
    await expect.poll(() => received, { timeout: 15_000 }).toEqual([1, 2]);
  });
});
