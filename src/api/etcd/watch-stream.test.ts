// The service Watch over HTTP/2, as @grpc/grpc-js sees it.

import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../../test/support/until.js';
import { WatchPort } from '../../../test/support/watch-port.js';
import type { Limits } from '../../config/limits.js';
import type { Revision } from '../../shared/ids.js';
import { numberOf } from './codec/int64.js';
import { grpcStatus } from './grpc/grpc-status.js';

const opened: WatchPort[] = [];

afterEach(async () => {
  for (const port of opened.splice(0)) await port.close();
});

async function open(changed: Partial<Limits> = {}): Promise<WatchPort> {
  const port = await WatchPort.open(changed);
  opened.push(port);
  return port;
}

async function setMany(port: WatchPort, name: string, count: number, value: Uint8Array): Promise<void> {
  const key = Buffer.from(name);
  const atOnce = 50;
  for (let done = 0; done < count; done += atOnce) {
    const some = Array.from({ length: Math.min(atOnce, count - done) }, () => port.write({ type: 'set', key, value }));
    await Promise.all(some);
  }
}

const revisionsFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);

describe('a stream of watches', () => {
  it('whose client reads slowly holds little, and tells everything in order once it reads', async () => {
    const port = await open({ grpcStreamQueueBytesMax: 64 * 1024, watchPageBytes: 16 * 1024 });
    const slow = port.stream();
    const quick = port.stream();
    for (const client of [slow, quick]) {
      client.create({ key: 'k', prevKv: true });
      client.create({ key: 'k', rangeEnd: 'l' });
    }
    await until('the watches', () => slow.created === 2 && quick.created === 2);
    slow.stream.pause();
    const count = 4_000;
    await setMany(port, 'k', count, new Uint8Array(2_000).fill(7));
    await until('the quick client', () => quick.revisions(0).length === count && quick.revisions(1).length === count);
    // Two watches of 8 MB each, of which the client and the system's sockets hold some.
    expect(port.port.heldBytes).toBeLessThan(512 * 1024);
    expect(slow.revisions(0).length).toBeLessThan(count);
    slow.stream.resume();
    await until('the slow client', () => slow.revisions(0).length === count && slow.revisions(1).length === count);
    for (const client of [slow, quick]) {
      for (const id of [0, 1]) expect(client.revisions(id)).toEqual(revisionsFrom(2, count));
    }
  });

  it('with hundreds of watches of one key holds little of it for a client that reads nothing', async () => {
    const port = await open();
    const client = port.stream();
    const count = 300;
    for (let id = 0; id < count; id++) client.create({ key: 'k' });
    await until('the watches', () => client.created === count);
    client.stream.pause();
    // 60 MB in all, of one transaction.
    await port.write({ type: 'set', key: Buffer.from('k'), value: new Uint8Array(200_000) });
    await port.write({ type: 'set', key: Buffer.from('other'), value: new Uint8Array(1) });
    expect(port.port.heldBytes).toBeLessThan(4 * 2 ** 20);
    client.stream.resume();
    await until('all of them', () => client.responses.length === 2 * count);
    for (let id = 0; id < count; id++) expect(client.revisions(id)).toEqual([2]);
  });

  it('whose client reads nothing until its place is compacted is told so', async () => {
    const port = await open({ grpcStreamQueueBytesMax: 16 * 1024 });
    const client = port.stream();
    client.create({ key: 'k' });
    await until('the watch', () => client.created === 1);
    client.stream.pause();
    const count = 3_000;
    await setMany(port, 'k', count, new Uint8Array(4_000));
    await port.write({ type: 'compact', revision: count as Revision });
    client.stream.resume();
    await until('the end of the watch', () => client.responses.at(-1)?.canceled === true);
    expect(numberOf(client.responses.at(-1)?.compact_revision)).toBe(count);
    const told = client.revisions();
    expect(told).toEqual(revisionsFrom(2, told.length));
    expect(told.length).toBeLessThan(count);
    expect(port.service.openWatches).toBe(0);
  });

  it('carries thousands of watches, each told of its own key alone', async () => {
    const port = await open();
    const client = port.stream();
    const count = 3_000;
    for (let index = 0; index < count; index++) client.create({ key: `key-${index}` });
    await until('all watches', () => client.created === count);
    for (let index = 0; index < count; index += 3) {
      void port.write({ type: 'set', key: Buffer.from(`key-${index}`), value: Buffer.from('1') });
    }
    await until('all events', () => client.responses.length === count + count / 3);
    for (let index = 0; index < count; index++) expect(client.revisions(index).length).toBe(index % 3 === 0 ? 1 : 0);
  });

  it('sends a large change in fragments to those that take them, and whole to the others', async () => {
    const port = await open({ etcdWatchFragmentBytes: 100_000, watchPageBytes: 10 * 2 ** 20 });
    await setMany(port, 'k', 10, new Uint8Array(60_000));
    const client = port.stream();
    client.create({ key: 'k', start: 2, fragment: true });
    client.create({ key: 'k', start: 2 });
    await until('all events', () => client.revisions(0).length === 10 && client.revisions(1).length === 10);
    const flags = (id: number): boolean[] =>
      client.responses
        .filter(({ watch_id: of, events }) => numberOf(of) === id && (events ?? []).length > 0)
        .map(({ fragment }) => fragment ?? false);
    expect(flags(0)).toEqual([...Array.from({ length: 9 }, () => true), false]);
    expect(flags(1)).toEqual([false]);
  });

  it('ends when the client goes, and when the leader is lost that it requires', async () => {
    const port = await open({ etcdNoLeaderMs: 30 });
    const [gone, picky] = [port.stream(), port.stream({ hasleader: 'true' })];
    for (const client of [gone, picky]) client.create({ key: 'k' });
    await until('the watches', () => gone.created === 1 && picky.created === 1);
    gone.stream.cancel();
    await until('the end of one', () => port.service.openWatches === 1);
    port.node.serving = false;
    await until('the end of the other', () => picky.endedWith !== null);
    expect(picky.endedWith).toBe(grpcStatus.unavailable);
    expect(port.service.openWatches).toBe(0);
  });
});
