import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bytes } from '../../../shared/bytes.js';
import type { Revision } from '../../../shared/ids.js';
import type { WatchEvent } from '../../../tree/replicated-tree.js';
import type { KeyRecord } from '../../../tree/store.js';
import { ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { WireError } from '../../../wire/protobuf/wire-error.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import { encodeMessage } from './generated-codec.js';
import { int64Of } from './int64.js';
import { headerFields, headerIdentity } from './response-header.js';
import { eventField } from './watch-event.js';
import { decodeWatchRequest, type WatchId } from './watch-request.js';
import { encodeEvents, encodeHeaderField, encodeWatchAnswer } from './watch-response.js';

const bytes = fc.uint8Array({ maxLength: 40 });
const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }).map((value) => value as Revision);
const watchId: fc.Arbitrary<WatchId> = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .map((id) => (Number.isSafeInteger(Number(id)) ? Number(id) : id));
const anyWatchId = fc.oneof(fc.nat(), fc.constantFrom(0, -1, 127, 128), watchId);
const header = fc.record({
  identity: fc
    .tuple(fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), fc.maxSafeNat())
    .map(([cluster, member]) => headerIdentity(cluster, BigInt(member))),
  revision,
  raftTerm: fc.nat(),
});
const record: fc.Arbitrary<KeyRecord> = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  value: fc.oneof(bytes, fc.uint8Array({ minLength: 100, maxLength: 300 })),
  createRevision: revision,
  modRevision: revision,
  version: fc.integer({ min: 1, max: 1000 }),
  lease: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
});
const event = fc.tuple(record, fc.boolean(), fc.option(record, { nil: undefined })).map(
  ([of, deleted, previous]): WatchEvent => ({
    type: deleted ? 'delete' : 'put',
    key: of.key,
    modRevision: of.modRevision,
    record: deleted ? undefined : of,
    previous,
    encoded: undefined,
    encodedWithPrevious: undefined,
  }),
);

function keyValueOf({ key, value, createRevision, modRevision, version, lease }: KeyRecord) {
  return {
    key,
    value,
    create_revision: int64Of(createRevision),
    mod_revision: int64Of(modRevision),
    version: int64Of(version),
    lease: int64Of(lease),
  };
}

function eventOf({ key, modRevision, record: put, previous }: WatchEvent, withPrevious: boolean) {
  const kv = put === undefined ? { key, mod_revision: int64Of(modRevision) } : keyValueOf(put);
  const prev = withPrevious && previous !== undefined ? { prev_kv: keyValueOf(previous) } : {};
  return { type: put === undefined ? 1 : 0, kv, ...prev };
}

/** The library writes fields that are the default once they are given; etcd and this server do not. */
function withoutDefaults<T>(fields: T): T {
  if (typeof fields !== 'object' || fields === null || fields instanceof Uint8Array || 'low' in fields) return fields;
  if (Array.isArray(fields)) return fields.map(withoutDefaults) as T;
  const kept = Object.entries(fields).filter(([, value]) => {
    if (value instanceof Uint8Array) return value.length > 0;
    if (typeof value === 'object' && value !== null && 'low' in value) return value.low !== 0 || value.high !== 0;
    return value !== 0 && value !== false && value !== '';
  });
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutDefaults(value)])) as T;
}

const expectSame = (actual: Bytes, fields: pb.IWatchResponse): void =>
  expect(Buffer.from(actual)).toEqual(Buffer.from(encodeMessage(pb.WatchResponse, withoutDefaults(fields))));

describe('encodeWatchAnswer()', () => {
  it('writes what the generated code does', () => {
    const answer = fc.record({
      watchId: anyWatchId,
      created: fc.boolean(),
      canceled: fc.boolean(),
      compactRevision: fc.nat(),
      cancelReason: fc.string(),
    });
    fc.assert(
      fc.property(header, answer, (of, { watchId: id, created, canceled, compactRevision, cancelReason }) => {
        expectSame(encodeWatchAnswer(of, { watchId: id, created, canceled, compactRevision, cancelReason }), {
          header: headerFields(of),
          watch_id: int64Of(id),
          created,
          canceled,
          compact_revision: int64Of(compactRevision),
          cancel_reason: cancelReason,
        });
      }),
    );
  });
});

describe('encodeEvents()', () => {
  it('writes what the generated code does, with and without what events replaced, as often as it is asked', () => {
    const writer = new ProtoWriter(16);
    const events = fc.array(event, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        header,
        anyWatchId,
        events,
        fc.array(fc.boolean(), { minLength: 1, maxLength: 3 }),
        (of, id, list, asked) => {
          for (const withPrevious of asked) {
            const fields = list.map((one) => eventField(one, withPrevious, writer));
            const head = { header: encodeHeaderField(of), watchId: id, fragment: withPrevious };
            expectSame(encodeEvents(head, fields, writer), {
              header: headerFields(of),
              watch_id: int64Of(id),
              fragment: withPrevious,
              events: list.map((one) => eventOf(one, withPrevious)),
            });
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('encodes an event once for all that ask', () => {
    const writer = new ProtoWriter(16);
    const [one] = fc.sample(event, 1) as [WatchEvent];
    expect(eventField(one, false, writer)).toBe(eventField(one, false, writer));
    expect(eventField(one, true, writer)).toBe(eventField(one, true, writer));
  });

  it('gives back the memory that a large event took', () => {
    const writer = new ProtoWriter(16);
    const [one] = fc.sample(event, 1) as [WatchEvent];
    const [large] = fc.sample(record, 1) as [KeyRecord];
    eventField({ ...one, record: { ...large, value: new Uint8Array(2 ** 20) } }, false, writer);
    expect(writer.bytes.length).toBeLessThan(2 ** 17);
  });
});

describe('decodeWatchRequest()', () => {
  const filters = fc.array(fc.constantFrom(0, 1, 2, 300), { maxLength: 4 });
  /** Newer clients may name filters that are not known here. */
  const asKnown = (list: readonly number[]): pb.WatchCreateRequest.FilterType[] => [...list] as (0 | 1)[];

  it('reads what the generated code writes', () => {
    const create = fc.record({
      key: bytes,
      rangeEnd: bytes,
      startRevision: fc.maxSafeInteger(),
      progressNotify: fc.boolean(),
      filters,
      prevKv: fc.boolean(),
      watchId: anyWatchId,
      fragment: fc.boolean(),
    });
    fc.assert(
      fc.property(create, (of) => {
        const { key, prevKv, fragment, startRevision, progressNotify } = of;
        const message = encodeMessage(pb.WatchRequest, {
          create_request: {
            key,
            range_end: of.rangeEnd,
            start_revision: int64Of(startRevision),
            progress_notify: progressNotify,
            filters: asKnown(of.filters),
            prev_kv: prevKv,
            watch_id: int64Of(of.watchId),
            fragment,
          },
        });
        const noPut = of.filters.includes(0);
        const noDelete = of.filters.includes(1);
        const { rangeEnd, watchId: id } = of;
        const expected = {
          key,
          rangeEnd,
          startRevision,
          progressNotify,
          noPut,
          noDelete,
          prevKv,
          watchId: id,
          fragment,
        };
        expect(normal(decodeWatchRequest(message))).toEqual({ type: 'create', ...expected });
      }),
    );
    fc.assert(
      fc.property(anyWatchId, (id) => {
        const message = encodeMessage(pb.WatchRequest, { cancel_request: { watch_id: int64Of(id) } });
        expect(decodeWatchRequest(message)).toEqual({ type: 'cancel', watchId: id });
      }),
    );
    expect(decodeWatchRequest(encodeMessage(pb.WatchRequest, { progress_request: {} }))).toEqual({ type: 'progress' });
    expect(decodeWatchRequest(new Uint8Array(0))).toEqual({ type: 'none' });
  });

  it('takes filters that are not packed, and passes over what it does not know', () => {
    const unpacked = Uint8Array.of(0x28, 1, 0x28, 7, 0x72, 1, 9);
    expect(decodeWatchRequest(Uint8Array.of(0x0a, unpacked.length, ...unpacked))).toMatchObject({
      type: 'create',
      noPut: false,
      noDelete: true,
    });
    expect(decodeWatchRequest(Uint8Array.of(0x22, 2, 1, 2))).toEqual({ type: 'none' });
  });

  it('throws WireError and nothing else for any other bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (input) => {
        try {
          decodeWatchRequest(input);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});

/** Views of a Buffer are Buffers. */
function normal(request: ReturnType<typeof decodeWatchRequest>) {
  if (request.type !== 'create') return request;
  return { ...request, key: new Uint8Array(request.key), rangeEnd: new Uint8Array(request.rangeEnd) };
}
