import { describe, expect, it } from 'vitest';
import { SingleNode } from '../../test/support/single-node.js';
import { limits } from '../config/limits.js';
import { StoreError } from '../shared/errors.js';
import { type ClientId, type Revision, type Zxid, zxidZero } from '../shared/ids.js';
import type { Command, CommandEnvelope, CommandResult } from '../tree/command.js';
import type { RangeRequest, RangeResult, ReadResult } from '../tree/replicated-tree.js';
import { createStoreService } from './service.js';
import type { ReadOptions, StoreService } from './store-service.js';

const key = (text: string): Uint8Array => new TextEncoder().encode(text);
const linearizable: ReadOptions = { local: false, seen: zxidZero, timeoutMs: 1_000 };
const local: ReadOptions = { local: true, seen: zxidZero, timeoutMs: 1_000 };
const everything: RangeRequest = {
  from: key(''),
  to: undefined,
  at: undefined,
  limit: 0,
  bytesMax: limits.rangeBytesMax,
  keysOnly: false,
};

function setup(): { node: SingleNode; service: StoreService } {
  const node = new SingleNode();
  return { node, service: createStoreService(node, { scheduler: node.scheduler, limits }) };
}

function write(
  service: StoreService,
  command: Command,
  identity?: CommandEnvelope['identity'],
): Promise<CommandResult> {
  const envelope = identity === undefined ? { command } : { command, identity };
  return new Promise((resolve) => service.write(envelope, 1_000, resolve));
}

function get(service: StoreService, name: Uint8Array, options: ReadOptions): Promise<ReadResult | StoreError> {
  return new Promise((resolve) =>
    service.get(name, options, (error, result) => resolve(error ?? (result as ReadResult))),
  );
}

type Page = Extract<RangeResult, { type: 'range' }>;

function range(service: StoreService, request: RangeRequest, options: ReadOptions): Promise<Page | StoreError> {
  return new Promise((resolve) => service.range(request, options, (error, page) => resolve(error ?? (page as Page))));
}

function codeOf(answer: unknown): string {
  return answer instanceof StoreError ? answer.code : 'no error';
}

describe('status()', () => {
  it('names a leader only while it serves: elected without a quorum behind it, a member is looking', () => {
    const { node, service } = setup();
    expect(service.status()).toMatchObject({ role: 'leader', serving: true, leader: service.status().id });
    node.serving = false;
    expect(service.status()).toMatchObject({ role: 'looking', serving: false, leader: null });
  });
});

describe('write()', () => {
  it('refuses empty and oversized keys and values with the limit in the message, and asks nobody', async () => {
    const { node, service } = setup();
    node.hold();
    const value = key('v');
    expect((await write(service, { type: 'set', key: key(''), value })).code).toBe('INVALID_ARGUMENT');
    const longKey = await write(service, { type: 'add', key: new Uint8Array(limits.keyBytesMax + 1), value });
    expect([longKey.code, longKey.message]).toEqual(['TOO_LARGE', 'The key has 901 bytes: the limit is 900']);
    const longValue = await write(service, {
      type: 'set',
      key: key('k'),
      value: new Uint8Array(limits.valueBytesMax + 1),
    });
    expect(longValue.code).toBe('TOO_LARGE');
    expect(longValue.message).toContain(String(limits.valueBytesMax));
    expect((await write(service, { type: 'delete', key: key('') })).code).toBe('INVALID_ARGUMENT');
    expect((await write(service, { type: 'compact', revision: 0 as Revision })).code).toBe('INVALID_ARGUMENT');
    expect((await write(service, { type: 'checkpoint' })).code).toBe('UNSUPPORTED');
    expect(service.revision).toBe(1);
  });

  it('takes a key and a value of exactly the limit', async () => {
    const { service } = setup();
    const command = {
      type: 'set',
      key: new Uint8Array(limits.keyBytesMax).fill(0),
      value: new Uint8Array(limits.valueBytesMax),
    } as const;
    expect((await write(service, command)).code).toBe('OK');
  });

  it('refuses an identity that acknowledges more than it has asked', async () => {
    const { service } = setup();
    const identity = { client: 1 as ClientId, request: 3, acknowledgedBelow: 4, bornAt: zxidZero, repeated: false };
    const result = await write(service, { type: 'set', key: key('a'), value: key('1') }, identity);
    expect(result.code).toBe('INVALID_ARGUMENT');
  });
});

describe('get() and range()', () => {
  it('read what was written, linearizable by way of the read point and local without', async () => {
    const { node, service } = setup();
    await write(service, { type: 'set', key: key('a'), value: key('1') });
    const result = await get(service, key('a'), linearizable);
    expect(result).toMatchObject({ revision: 2, record: { modRevision: 2 } });
    expect(node.barriers).toBe(1);
    expect(await get(service, key('a'), local)).toMatchObject({ revision: 2 });
    expect(await get(service, key('b'), local)).toMatchObject({ revision: 2, record: undefined });
    expect(node.barriers).toBe(1);
  });

  it('answer locally without a leader, and NO_QUORUM otherwise', async () => {
    const { node, service } = setup();
    node.serving = false;
    expect(codeOf(await get(service, key('a'), linearizable))).toBe('NO_QUORUM');
    expect(codeOf(await range(service, everything, linearizable))).toBe('NO_QUORUM');
    expect(codeOf(await get(service, key('a'), local))).toBe('no error');
  });

  it('wait for the zxid that the client has seen, and give up at the deadline', async () => {
    const { node, service } = setup();
    const first = await write(service, { type: 'set', key: key('a'), value: key('1') });
    const ahead = { ...local, seen: (first.zxid + 1) as Zxid };
    const waiting = get(service, key('a'), ahead);
    await write(service, { type: 'set', key: key('a'), value: key('2') });
    expect(await waiting).toMatchObject({ revision: 3 });
    const tooFar = { local: true, seen: (first.zxid + 100) as Zxid, timeoutMs: 5 };
    expect(codeOf(await get(service, key('a'), tooFar))).toBe('TIMEOUT');
    expect(node.barriers).toBe(0);
  });

  it('page through a range at one revision while it changes', async () => {
    const { service } = setup();
    for (const name of ['a', 'b', 'c', 'd', 'e'])
      await write(service, { type: 'set', key: key(name), value: key('1') });
    const seen: string[] = [];
    let request: RangeRequest | undefined = { ...everything, limit: 2 };
    while (request !== undefined) {
      const page: Page | StoreError = await range(service, request, local);
      if (page instanceof StoreError) throw page;
      expect(page.revision).toBe(6);
      for (const record of page.records) seen.push(`${new TextDecoder().decode(record.key)}@${record.modRevision}`);
      await write(service, { type: 'set', key: key('b'), value: key('changed') });
      await write(service, { type: 'delete', key: key('e') });
      await write(service, { type: 'set', key: key('dd'), value: key('new') });
      request = page.next === undefined ? undefined : { ...request, from: page.next, at: page.revision };
    }
    expect(seen).toEqual(['a@2', 'b@3', 'c@4', 'd@5', 'e@6']);
  });

  it('range() never passes its bytes by a record, but gives one at least', async () => {
    const { service } = setup();
    const large = new Uint8Array(limits.valueBytesMax);
    const half = new Uint8Array(limits.rangeBytesMax / 2);
    await write(service, { type: 'set', key: key('a'), value: half });
    await write(service, { type: 'set', key: key('b'), value: large });
    await write(service, { type: 'set', key: key('c'), value: half });
    const pages: number[] = [];
    for (let from: Uint8Array | undefined = key(''); from !== undefined; ) {
      const page: Page | StoreError = await range(service, { ...everything, from }, local);
      if (page instanceof StoreError) throw page;
      pages.push(page.records.length);
      from = page.next;
    }
    expect(pages).toEqual([1, 1, 1]);
  });

  it('name compacted and future revisions', async () => {
    const { service } = setup();
    for (const value of ['1', '2', '3']) await write(service, { type: 'set', key: key('a'), value: key(value) });
    await write(service, { type: 'compact', revision: 3 as Revision });
    expect(codeOf(await range(service, { ...everything, at: 2 as Revision }, local))).toBe('COMPACTED');
    expect(codeOf(await range(service, { ...everything, at: 9 as Revision }, local))).toBe('FUTURE_REVISION');
    expect(await range(service, { ...everything, at: 3 as Revision }, local)).toMatchObject({ revision: 3 });
  });

  it('refuse keys past the limit and ranges that end before they begin', async () => {
    const { service } = setup();
    expect(codeOf(await get(service, key(''), local))).toBe('INVALID_ARGUMENT');
    expect(codeOf(await get(service, new Uint8Array(901), local))).toBe('TOO_LARGE');
    const backwards = { ...everything, from: key('b'), to: key('a') };
    expect(codeOf(await range(service, backwards, local))).toBe('INVALID_ARGUMENT');
  });
});

describe('broadcast()', () => {
  it('reaches listeners, and refuses a message past the limit', async () => {
    const { service } = setup();
    const heard: number[] = [];
    const stop = service.onBroadcast((payload) => heard.push(payload.length));
    const send = (length: number): Promise<StoreError | null> =>
      new Promise((resolve) => service.broadcast(new Uint8Array(length), 100, resolve));
    expect(await send(5)).toBeNull();
    expect((await send(limits.broadcastBytesMax + 1))?.code).toBe('TOO_LARGE');
    stop();
    await send(7);
    expect(heard).toEqual([5]);
  });
});
