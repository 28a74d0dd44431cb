import { beforeEach, describe, expect, test } from 'vitest';
import { toServerId } from '../shared/ids.js';
import { SnapshotRequests } from './snapshot-requests.js';

const follower = toServerId(7);
const bulkLink = 40;

describe('SnapshotRequests', () => {
  let started: number[];
  let cancelled: number[];
  let dropped: { readonly peer: number; readonly reason: string }[];
  let connected: boolean;
  let requests: SnapshotRequests;
  const done = (): void => undefined;
  beforeEach(() => {
    started = [];
    cancelled = [];
    dropped = [];
    connected = true;
    requests = new SnapshotRequests(
      { start: (link) => started.push(link), cancel: (link) => cancelled.push(link) },
      {
        bulkLinkOf: () => (connected ? bulkLink : undefined),
        dropQuorumOf: (peer, reason) => dropped.push({ peer, reason }) > 0,
      },
    );
  });

  test('a snapshot begins once it is wanted and asked for, in whichever order', () => {
    requests.wanted(follower, done);
    expect(started).toEqual([]);
    requests.asked(follower, bulkLink);
    expect(started).toEqual([bulkLink]);
    requests.installed(bulkLink);
    requests.asked(follower, bulkLink);
    expect(started).toEqual([bulkLink]);
    requests.wanted(follower, done);
    expect(started).toEqual([bulkLink, bulkLink]);
  });

  test('a follower whose bulk connection breaks before it said that it has the snapshot begins anew', () => {
    requests.wanted(follower, done);
    requests.asked(follower, bulkLink);
    connected = false;
    requests.closed(follower, bulkLink);
    expect(cancelled).toEqual([bulkLink]);
    expect(dropped).toEqual([{ peer: follower, reason: 'the bulk connection closed during a snapshot' }]);
  });

  test('one that has installed it, or never asked, keeps its quorum connection', () => {
    requests.wanted(follower, done);
    requests.asked(follower, bulkLink);
    requests.installed(bulkLink);
    requests.closed(follower, bulkLink);
    requests.closed(follower, bulkLink + 1);
    expect(dropped).toEqual([]);
  });
});
