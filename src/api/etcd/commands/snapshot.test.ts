import { describe, expect, it } from 'vitest';
import { EtcdCall } from '../../../../test/support/etcd-call.js';
import { SingleNode } from '../../../../test/support/single-node.js';
import { readAll } from '../../../../test/support/snapshot-files.js';
import { until } from '../../../../test/support/until.js';
import { type Limits, limits } from '../../../config/limits.js';
import { createLog } from '../../../observability/log.js';
import { createStoreService } from '../../../service/service.js';
import type { StoreService } from '../../../service/store-service.js';
import { StoreError } from '../../../shared/errors.js';
import type { Command } from '../../../tree/command.js';
import { FrontEndGuard } from '../../front-end-guard.js';
import { decodeMessage } from '../codec/generated-codec.js';
import { numberOf } from '../codec/int64.js';
import { plainAddresses } from '../context.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import { grpcStatus } from '../grpc/grpc-status.js';
import { ResponseHeaders } from '../response-headers.js';
import { snapshotMethods } from './snapshot.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const pageBytes = 4096;

class Bench {
  readonly node = new SingleNode();
  readonly service: StoreService;
  private readonly handle: (call: EtcdCall, request: Uint8Array) => void;
  refusal: StoreError | null = null;

  constructor(changed: Partial<Limits> = {}) {
    const bounds = { ...limits, ...changed };
    this.service = createStoreService(this.node, { scheduler: this.node.scheduler, limits: bounds });
    const [entry] = snapshotMethods({
      service: this.service,
      limits: bounds,
      guard: new FrontEndGuard(createLog({ level: 'error', format: 'text' })),
      headers: new ResponseHeaders(this.service),
      addresses: plainAddresses,
      actorOf: () => {
        if (this.refusal !== null) throw this.refusal;
        return undefined;
      },
    });
    const method = entry?.[1];
    if (method?.type !== 'unary') throw new Error('Snapshot takes no stream');
    this.handle = method.handle;
  }

  async write(...commands: readonly Command[]): Promise<void> {
    for (const command of commands) {
      await new Promise<void>((resolve, reject) => {
        this.service.write({ command }, 0, ({ code, message }) =>
          code === 'OK' ? resolve() : reject(new Error(message)),
        );
      });
    }
  }

  begin(room = Number.POSITIVE_INFINITY): EtcdCall {
    const call = new EtcdCall();
    call.room = room;
    this.handle(call, new Uint8Array(0));
    return call;
  }
}

const responses = (call: EtcdCall): pb.SnapshotResponse[] =>
  call.sent.map((message) => decodeMessage(pb.SnapshotResponse, message));
const fileOf = (call: EtcdCall): Buffer => Buffer.concat(responses(call).map(({ blob }) => blob ?? new Uint8Array(0)));

describe('Maintenance.Snapshot', () => {
  it('sends a file with everything that was answered, and says how much is left', async () => {
    const bench = new Bench({ snapshotChunkBytes: 3 * pageBytes });
    for (let index = 0; index < 50; index++)
      await bench.write({ type: 'set', key: bytes(`key ${index % 7}`), value: new Uint8Array(index * 100) });
    await bench.write(
      { type: 'delete', key: bytes('key 3') },
      { type: 'set', key: bytes('large'), value: new Uint8Array(100_000) },
      { type: 'compact', revision: 20 as never },
      { type: 'alarm', alarm: { kind: 'noSpace', member: 5n }, active: true },
    );
    const call = bench.begin();
    await until('the end of the snapshot', () => call.over);
    expect(call.failure).toBeNull();
    const found = readAll(fileOf(call));
    expect(found.facts).toMatchObject({ compactedRevision: 20, accessEnabled: false, accessRevision: 1 });
    expect(found.versions.at(-1)).toMatchObject({ modRevision: 53, record: { version: 1 } });
    expect(found.versions.filter(({ modRevision }) => modRevision > 20)).toHaveLength(33);
    expect(found.alarms).toEqual([{ member: 5n, type: 1 }]);
    const parts = responses(call);
    let left = fileOf(call).length - 32;
    for (const { blob, remaining_bytes, header, version } of parts) {
      expect(blob?.length).toBeLessThanOrEqual(3 * pageBytes);
      left = Math.max(0, left - (blob?.length ?? 0));
      expect(numberOf(remaining_bytes)).toBe(left);
      expect(numberOf(header?.revision)).toBe(53);
      expect(version).toBe('3.4.0');
    }
    expect(parts.at(-1)?.blob).toHaveLength(32);
    expect(parts.length).toBeGreaterThan(10);
  });

  it('holds the state of its beginning while others write, and sends no more than is taken', async () => {
    const bench = new Bench({ snapshotChunkBytes: pageBytes });
    for (let index = 0; index < 20; index++)
      await bench.write({ type: 'set', key: bytes(`key ${index}`), value: new Uint8Array(3_000) });
    const call = bench.begin(4);
    await until('as much as there is room for', () => call.sent.length === 4);
    for (let index = 0; index < 20; index++)
      await bench.write({ type: 'set', key: bytes(`key ${index}`), value: new Uint8Array(100) });
    expect(call.sent).toHaveLength(4);
    for (let sent = 4; !call.over; sent = call.sent.length) {
      call.drain(1);
      await until('one more message', () => call.over || call.sent.length > sent);
      expect(call.sent.length - sent).toBeLessThanOrEqual(1);
    }
    expect(readAll(fileOf(call)).versions.map(({ record }) => record?.value.length)).toEqual(Array(20).fill(3_000));
  });

  it('is made for so many at a time, and lets go when the client does', async () => {
    const bench = new Bench({ stateCopiesMax: 1, snapshotChunkBytes: pageBytes });
    for (let index = 0; index < 20; index++)
      await bench.write({ type: 'set', key: bytes(`key ${index}`), value: new Uint8Array(3_000) });
    const first = bench.begin(1);
    await until('the first one has begun', () => first.sent.length === 1);
    const second = bench.begin();
    expect(second.failure).toEqual({ status: grpcStatus.resourceExhausted, message: 'etcdserver: too many requests' });
    first.cancel();
    const third = bench.begin();
    await until('the third one is whole', () => third.finished);
    expect(first.sent).toHaveLength(1);
  });

  it('ends when the client takes nothing, and when it takes too long', async () => {
    for (const changed of [{ stateCopyStallMs: 20 }, { stateCopyTimeoutMs: 20 }]) {
      const bench = new Bench({ ...changed, stateCopiesMax: 1 });
      await bench.write({ type: 'set', key: bytes('key'), value: new Uint8Array(3_000) });
      const call = bench.begin(1);
      await until('the end', () => call.over);
      expect(call.failure).toEqual({ status: grpcStatus.unavailable, message: 'etcdserver: request timed out' });
      const next = bench.begin();
      await until('the next one is whole', () => next.finished);
    }
  });

  it('is refused to whoever has no valid token', async () => {
    const bench = new Bench();
    bench.refusal = new StoreError('UNAUTHENTICATED', 'no');
    expect(bench.begin().failure).toMatchObject({ status: grpcStatus.unauthenticated });
  });
});
