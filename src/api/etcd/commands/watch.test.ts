import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EtcdCall } from '../../../../test/support/etcd-call.js';
import { SingleNode } from '../../../../test/support/single-node.js';
import { until as waitUntil } from '../../../../test/support/until.js';
import { type Limits, limits } from '../../../config/limits.js';
import { createLog } from '../../../observability/log.js';
import { createStoreService } from '../../../service/service.js';
import type { StoreService } from '../../../service/store-service.js';
import { StoreError } from '../../../shared/errors.js';
import type { Revision } from '../../../shared/ids.js';
import type { Command, CommandResult } from '../../../tree/command.js';
import { FrontEndGuard } from '../../front-end-guard.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { int64Of, numberOf } from '../codec/int64.js';
import { decodeWatchRequest, type WatchCreateRequest } from '../codec/watch-request.js';
import { type EtcdContext, plainAddresses } from '../context.js';
import { EtcdWatch, type WatchOwner } from '../etcd-watch.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import type { MessageStream } from '../grpc/grpc-call.js';
import { grpcStatus } from '../grpc/grpc-status.js';
import { ResponseHeaders } from '../response-headers.js';
import { WatchDesk } from '../watch-desk.js';
import { watchMethods } from './watch.js';

const key = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array | null | undefined): string => new TextDecoder().decode(bytes ?? new Uint8Array(0));

const until = (condition: () => boolean): Promise<void> => waitUntil('the responses that were expected', condition);

type Changes = Partial<Limits>;

class Bench {
  readonly node: SingleNode;
  readonly service: StoreService;
  readonly context: EtcdContext;
  private readonly open: (call: EtcdCall) => MessageStream;
  refusal: StoreError | null = null;

  constructor(changed: Changes = {}) {
    const bounds = { ...limits, ...changed };
    this.node = new SingleNode({ overlayFlushBytes: bounds.overlayFlushBytes });
    this.service = createStoreService(this.node, { scheduler: this.node.scheduler, limits: bounds });
    this.context = {
      service: this.service,
      limits: bounds,
      guard: new FrontEndGuard(createLog({ level: 'error', format: 'text' })),
      headers: new ResponseHeaders(this.service),
      addresses: plainAddresses,
      actorOf: () => {
        if (this.refusal !== null) throw this.refusal;
        return undefined;
      },
    };
    const [entry] = watchMethods(this.context);
    const method = entry?.[1];
    if (method?.type !== 'stream') throw new Error('Watch is no stream');
    this.open = method.open;
  }

  client(headers: Readonly<Record<string, string>> = {}): Client {
    const call = new EtcdCall(headers);
    return new Client(call, this.open(call));
  }

  write(command: Command): Promise<CommandResult> {
    return new Promise((resolve) => this.service.write({ command }, 1_000, resolve));
  }

  set(name: string, value: string): Promise<CommandResult> {
    return this.write({ type: 'set', key: key(name), value: key(value) });
  }

  delete(name: string): Promise<CommandResult> {
    return this.write({ type: 'delete', key: key(name) });
  }

  compact(revision: number): Promise<CommandResult> {
    return this.write({ type: 'compact', revision: revision as Revision });
  }
}

type Create = Omit<pb.IWatchCreateRequest, 'key' | 'range_end' | 'start_revision' | 'watch_id'> & {
  readonly key?: string;
  readonly rangeEnd?: string;
  readonly start?: number;
  readonly id?: number;
};

class Client {
  readonly call: EtcdCall;
  private readonly stream: MessageStream;

  constructor(call: EtcdCall, stream: MessageStream) {
    this.call = call;
    this.stream = stream;
  }

  send(request: pb.IWatchRequest): void {
    this.stream.message(encodeMessage(pb.WatchRequest, request));
  }

  raw(bytes: Uint8Array): void {
    this.stream.message(bytes);
  }

  halfClose(): void {
    this.stream.halfClosed();
  }

  create({ key: from = '', rangeEnd = '', start = 0, id = 0, ...options }: Create): void {
    const create = { ...options, start_revision: int64Of(start), watch_id: int64Of(id) };
    this.send({ create_request: { ...create, key: key(from), range_end: key(rangeEnd) } });
  }

  cancel(id: number): void {
    this.send({ cancel_request: { watch_id: int64Of(id) } });
  }

  get responses(): pb.WatchResponse[] {
    return this.call.sent.map((bytes) => decodeMessage(pb.WatchResponse, bytes));
  }

  /** Each response as a line. */
  get lines(): string[] {
    return this.responses.map(lineOf);
  }

  /** All events of a watch, in order. */
  events(id = 0): string[] {
    return this.responses.filter((response) => numberOf(response.watch_id) === id).flatMap(eventsOf);
  }
}

function eventsOf(response: pb.WatchResponse): string[] {
  return (response.events ?? []).map(({ type, kv, prev_kv: previous }) => {
    const at = numberOf(kv?.mod_revision);
    const shown = type === 1 ? `-${text(kv?.key)}@${at}` : `${text(kv?.key)}=${text(kv?.value)}@${at}`;
    return previous ? `${shown} was ${text(previous.value)}@${numberOf(previous.mod_revision)}` : shown;
  });
}

function lineOf(response: pb.WatchResponse): string {
  const { created, canceled, fragment } = response;
  const flags = [created && 'created', canceled && 'canceled', fragment && 'fragment'].filter(Boolean);
  const compacted = numberOf(response.compact_revision);
  const rest = [compacted === 0 ? '' : `compacted ${compacted}`, response.cancel_reason, ...eventsOf(response)];
  const head = `${numberOf(response.watch_id)} r${numberOf(response.header?.revision)}`;
  return [head, ...flags, ...rest].filter(Boolean).join(' ');
}

function decodeCreate(create: pb.IWatchCreateRequest): WatchCreateRequest {
  const request = decodeWatchRequest(encodeMessage(pb.WatchRequest, { create_request: create }));
  if (request.type !== 'create') throw new Error(`Expected a creation, got ${request.type}`);
  return request;
}

describe('Watch', () => {
  it('says that a watch is created before anything else, and then every change', async () => {
    const bench = new Bench();
    await bench.set('a', '1');
    const client = bench.client();
    client.create({ key: 'a', prev_kv: true });
    client.create({ key: 'a', rangeEnd: 'b', start: 2 });
    expect(client.lines).toEqual(['0 r2 created', '1 r2 created']);
    await until(() => client.lines.length >= 3);
    await bench.set('a', '2');
    await bench.delete('a');
    expect(client.lines.slice(2)).toEqual([
      '1 r2 a=1@2',
      '0 r3 a=2@3 was 1@2',
      '1 r3 a=2@3',
      '0 r4 -a@4 was 2@3',
      '1 r4 -a@4',
    ]);
    const header = client.responses.at(-1)?.header;
    expect(numberOf(header?.member_id)).toBe(bench.service.status().id);
    expect(numberOf(header?.raft_term)).toBe(1);
  });

  it('tells in one response what is committed in one turn, and before whatever says how far it has come', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a', rangeEnd: 'b' });
    client.create({ key: 'a', rangeEnd: 'b', prev_kv: true });
    await bench.set('z', '');
    client.send({ progress_request: {} });
    await until(() => client.lines.length === 3);
    for (const value of ['1', '2']) void bench.set('a', value);
    const last: Command = { type: 'set', key: key('a'), value: key('3') };
    bench.service.write({ command: last }, 1_000, () => client.send({ progress_request: {} }));
    await until(() => client.lines.length >= 8);
    expect(client.lines).toEqual([
      '0 r1 created',
      '1 r1 created',
      '-1 r2',
      '1 r3 a=1@3',
      '1 r4 a=2@4 was 1@3',
      '1 r5 a=3@5 was 2@4',
      '0 r5 a=1@3 a=2@4 a=3@5',
      '-1 r5',
    ]);
  });

  it('ends a response where clients would not take a larger one', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a', rangeEnd: 'b' });
    await bench.set('z', '');
    client.send({ progress_request: {} });
    await until(() => client.lines.length === 2);
    const value = 'x'.repeat(100_000);
    await Promise.all(Array.from({ length: 7 }, () => bench.set('a', value)));
    await until(() => client.events().length === 7);
    expect(client.responses.slice(2).map(({ events }) => events?.length)).toEqual([3, 3, 1]);
  });

  it('takes an empty key as the least one, and a range end of one zero byte as no end', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({});
    client.create({ rangeEnd: '\0' });
    client.create({ key: 'b', rangeEnd: '\0' });
    await until(() => bench.node.tree.revision === 1);
    for (const name of ['\0', 'a', 'b']) await bench.set(name, '1');
    await until(() => client.events(1).length === 3);
    expect(client.events(0)).toEqual(['\0=1@2']);
    expect(client.events(1)).toEqual(['\0=1@2', 'a=1@3', 'b=1@4']);
    expect(client.events(2)).toEqual(['b=1@4']);
  });

  it('gives ids from 0 on, or takes those of the client, each once', async () => {
    const client = new Bench().client();
    for (const id of [7, 7, 0, 1, 0, -2]) client.create({ key: 'a', id });
    client.cancel(0);
    client.create({ key: 'a' });
    client.cancel(99);
    expect(client.lines).toEqual([
      '7 r1 created',
      '-1 r1 created canceled mvcc: duplicate watch ID provided on the WatchStream',
      '0 r1 created',
      '1 r1 created',
      '2 r1 created',
      '-2 r1 created',
      '0 r1 canceled',
      '3 r1 created',
    ]);
  });

  it('takes ids of 64 bits', () => {
    const client = new Bench().client();
    const id = int64Of(2n ** 53n + 1n);
    for (let time = 0; time < 2; time++) client.send({ create_request: { key: key('a'), watch_id: id } });
    client.send({ cancel_request: { watch_id: id } });
    expect(client.responses.map(({ watch_id: of }) => String(of))).toEqual([String(id), '-1', String(id)]);
  });

  it('refuses ranges that hold nothing, and clients that may not', () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a', rangeEnd: 'a' });
    client.create({ key: 'b', rangeEnd: 'a' });
    bench.refusal = new StoreError('PERMISSION_DENIED', 'no');
    client.create({ key: 'a' });
    bench.refusal = new StoreError('UNAUTHENTICATED', 'no');
    client.create({ key: 'a' });
    expect(client.lines).toEqual([
      '-1 r1 created canceled mvcc: watcher range is empty',
      '-1 r1 created canceled mvcc: watcher range is empty',
      '-1 r1 created canceled rpc error: code = PermissionDenied desc = etcdserver: permission denied',
      '-1 r1 created canceled rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    ]);
    expect(bench.service.openWatches).toBe(0);
  });

  it('refuses more watches of a stream, or of all, than may be', () => {
    const bench = new Bench({ etcdWatchesPerStreamMax: 2, etcdWatchesMax: 3 });
    const [one, other] = [bench.client(), bench.client()];
    for (const client of [one, one, one, other, other]) client.create({ key: 'a' });
    const refused = '-1 r1 created canceled rpc error: code = ResourceExhausted desc = etcdserver: too many requests';
    expect(one.lines).toEqual(['0 r1 created', '1 r1 created', refused]);
    expect(other.lines).toEqual(['0 r1 created', refused]);
    one.cancel(0);
    other.create({ key: 'a' });
    expect(other.lines.at(-1)).toMatch(/r1 created$/);
    one.call.cancel();
    other.call.cancel();
    expect(bench.service.openWatches).toBe(0);
  });

  it('below what is compacted is created, then cancelled with the compacted revision; at it, it tells what is kept', async () => {
    const bench = new Bench();
    for (const value of ['1', '2', '3', '4']) await bench.set('a', value);
    await bench.compact(4);
    const client = bench.client();
    client.create({ key: 'a', start: 2 });
    client.create({ key: 'a', start: 4, prev_kv: true });
    client.create({ key: 'a', start: -3 });
    await until(() => client.lines.length >= 6);
    expect(client.lines.slice(0, 3)).toEqual(['0 r5 created', '1 r5 created', '2 r5 created']);
    expect(client.lines.slice(3).sort()).toEqual([
      '0 r5 canceled compacted 4',
      '1 r5 a=3@4 a=4@5 was 3@4',
      '2 r5 canceled compacted 4',
    ]);
    client.cancel(0);
    expect(client.lines.length).toBe(6);
    expect(bench.service.openWatches).toBe(1);
  });

  it('from a future revision leaks nothing earlier', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a', start: 4 });
    for (const value of ['2', '3', '4', '5']) await bench.set('a', value);
    await until(() => client.events().length >= 2);
    expect(client.events()).toEqual(['a=4@4', 'a=5@5']);
  });

  it('leaves out the puts or the deletes', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a', start: 2, filters: [0] });
    client.create({ key: 'a', start: 2, filters: [1] });
    client.create({ key: 'a', start: 2, filters: [0, 1] });
    await bench.set('a', '1');
    await bench.delete('a');
    await until(() => client.events(0).length + client.events(1).length === 2);
    expect([0, 1, 2].map((id) => client.events(id))).toEqual([['-a@3'], ['a=1@2'], []]);
  });

  it('fragments what is too large for a client that takes fragments, and nothing else', async () => {
    const bench = new Bench({ etcdWatchFragmentBytes: 200 });
    for (const value of ['1', '2', '3', '4', '5']) await bench.set('a', value.repeat(60));
    await bench.set('a', 'x'.repeat(400));
    await bench.set('a', 'y');
    const client = bench.client();
    client.create({ key: 'a', start: 2, fragment: true });
    client.create({ key: 'a', start: 2 });
    await until(() => client.events(0).length >= 7 && client.events(1).length >= 7);
    const told = client.responses.filter(({ events }) => (events ?? []).length > 0);
    const fragments = told.filter(({ watch_id: id }) => numberOf(id) === 0);
    expect(fragments.map(({ events }) => events?.length)).toEqual([2, 2, 1, 1, 1]);
    expect(fragments.map(({ fragment }) => fragment ?? false)).toEqual([true, true, true, true, false]);
    expect(told.length - fragments.length).toBe(1);
    expect(client.events(0)).toEqual(client.events(1));
    // A single revision too: its events came one by one.
    await bench.set('a', 'z'.repeat(400));
    expect(client.responses.at(-2)?.fragment).toBeFalsy();
  });

  it('answers a request for progress once all watches of the stream have caught up', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.send({ progress_request: {} });
    expect(client.lines).toEqual(['-1 r1']);
    for (let index = 0; index < 10; index++) await bench.set('a', String(index));
    client.create({ key: 'a', start: 2 });
    client.create({ key: 'b' });
    client.send({ progress_request: {} });
    expect(client.lines.length).toBe(3);
    await until(() => client.lines.at(-1) === '-1 r11');
    expect(client.events(0).length).toBe(10);
    await bench.set('c', '1');
    client.send({ progress_request: {} });
    expect(client.lines.at(-1)).toBe('-1 r12');
    // A watch that begins in the future has made no progress that could be told.
    client.create({ key: 'a', start: 100 });
    await until(() => bench.service.openWatches === 3);
    client.send({ progress_request: {} });
    await bench.set('a', 'last');
    await until(() => client.events(0).length === 11);
    expect(client.lines.filter((line) => line.startsWith('-1')).length).toBe(3);
  });

  it('answers a request for progress once the watch that was behind is gone', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a' });
    client.send({ progress_request: {} });
    client.cancel(0);
    await until(() => client.lines.at(-1) === '-1 r1');
    expect(client.lines).toEqual(['0 r1 created', '0 r1 canceled', '-1 r1']);
  });

  it('reports progress now and then to watches that want it and are told nothing else', async () => {
    const bench = new Bench({ etcdWatchProgressMs: 10 });
    const client = bench.client();
    client.create({ key: 'a', progress_notify: true });
    client.create({ key: 'a' });
    await bench.set('b', '1');
    await until(() => client.lines.filter((line) => line === '0 r2').length >= 2);
    expect(client.lines.some((line) => line === '1 r2')).toBe(false);
    client.call.cancel();
  });

  it('tells nothing while the client takes nothing, and everything once it does', async () => {
    const bench = new Bench({ watchPageBytes: 100 });
    const client = bench.client();
    client.call.room = 4;
    client.create({ key: 'a', prev_kv: true });
    client.create({ key: 'a', rangeEnd: 'b' });
    await until(() => bench.service.openWatches === 2);
    for (let index = 0; index < 200; index++) await bench.set('a', String(index));
    const sent = client.lines.length;
    expect(sent).toBeLessThanOrEqual(5);
    while (client.events(0).length < 200 || client.events(1).length < 200) {
      const before = client.lines.length;
      client.call.drain(2);
      await until(() => client.lines.length > before);
      // At most one more after it said that it was enough.
      expect(client.lines.length).toBeLessThanOrEqual(before + 3);
    }
    const expected = Array.from({ length: 200 }, (_, index) => `a=${index}@${index + 2}`);
    expect(client.events(1)).toEqual(expected);
    expect(client.events(0).map((event) => event.split(' ')[0])).toEqual(expected);
  });

  it('that fell behind what is compacted is cancelled with the compacted revision', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.call.room = 1;
    client.create({ key: 'a' });
    await until(() => bench.service.openWatches === 1);
    for (let index = 0; index < 10; index++) await bench.set('a', String(index));
    await bench.compact(8);
    client.call.drain(10);
    await until(() => client.lines.length >= 2);
    expect(client.lines).toEqual(['0 r1 created', '0 r11 canceled compacted 8']);
  });

  it('goes on after the client has half closed, and ends with the client', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a' });
    client.halfClose();
    await bench.set('a', '1');
    await until(() => client.events().length === 1);
    client.call.cancel();
    expect(bench.service.openWatches).toBe(0);
    await bench.set('a', '2');
    expect(client.events().length).toBe(1);
  });

  it('ends with its watches when a message is none', async () => {
    const bench = new Bench();
    const client = bench.client();
    client.create({ key: 'a' });
    client.raw(Uint8Array.of(0x0a, 9, 1));
    expect(client.call.failure?.status).toBe(grpcStatus.internal);
    expect(bench.service.openWatches).toBe(0);
  });

  it('is cancelled alone when its permission is taken away, and takes the stream along when its node fails', () => {
    const bench = new Bench();
    const told: string[] = [];
    const owner: WatchOwner = {
      desk: new WatchDesk(bench.context),
      mayDeliver: () => true,
      send: () => undefined,
      collect: () => undefined,
      collected: () => undefined,
      answer: ({ canceled, cancelReason }) => void told.push(`${canceled} ${cancelReason}`),
      liveChanged: () => undefined,
      ended: () => void told.push('ended'),
      failed: () => void told.push('failed'),
    };
    const watch = new EtcdWatch(owner, 5, decodeCreate({ key: key('a') }));
    watch.ended(new StoreError('PERMISSION_DENIED', 'no'));
    watch.ended(new StoreError('CORRUPT', 'no'));
    const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied';
    expect(told).toEqual([`true ${reason}`, 'ended', 'failed']);
  });

  it('ends without a leader for clients that want one', async () => {
    const bench = new Bench({ etcdNoLeaderMs: 40 });
    const picky = bench.client({ hasleader: 'true' });
    const patient = bench.client();
    picky.create({ key: 'a' });
    patient.create({ key: 'a' });
    bench.node.serving = false;
    await until(() => picky.call.failure !== null);
    expect(picky.call.failure).toEqual({ status: grpcStatus.unavailable, message: 'etcdserver: no leader' });
    expect(patient.call.failure).toBeNull();
    expect(bench.service.openWatches).toBe(1);
    expect(bench.client({ hasleader: 'true' }).call.failure?.message).toBe('etcdserver: no leader');
  });

  it('tells every watch of a stream everything once and in order, whatever the client takes', async () => {
    const step = fc.constantFrom('write', 'delete', 'create', 'drain', 'flush', 'cancel');
    const property = fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
      const bench = new Bench({ watchPageBytes: 60 });
      const client = bench.client();
      client.call.room = 3;
      const expected: string[] = [];
      const open = new Map<number, number>();
      let created = 0;
      let there = false;
      for (const name of steps) {
        const { revision } = bench.node.tree;
        if (name === 'write') {
          await bench.set('k', 'v');
          expected.push(`k=v@${revision + 1}`);
          there = true;
        } else if (name === 'delete' && there) {
          await bench.delete('k');
          expected.push(`-k@${revision + 1}`);
          there = false;
        } else if (name === 'create') {
          const start = created % 2 === 0 ? 0 : 2;
          client.create({ key: 'k', start });
          open.set(created, start === 0 ? revision + 1 : 2);
          created++;
        } else if (name === 'cancel') {
          const [id] = open.keys();
          if (id === undefined) continue;
          client.cancel(id);
          open.delete(id);
        } else if (name === 'drain') client.call.drain(3);
        else if (name === 'flush') bench.node.tree.flush({ force: true });
      }
      client.call.drain(Number.POSITIVE_INFINITY);
      for (const [id, from] of open) {
        const wanted = expected.filter((event) => Number(event.split('@')[1]) >= from);
        await until(() => client.events(id).length >= wanted.length);
        expect(client.events(id)).toEqual(wanted);
      }
    });
    await fc.assert(property, { numRuns: 30 });
  });
});
