import { beforeEach, describe, expect, test } from 'vitest';
import type { Bytes } from '../shared/bytes.js';
import { toZxid, type Zxid } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import { FollowerLink } from './follower-link.js';
import type { CommitLog } from './ports.js';

const batchOf = (first: number, last: number): Batch => ({
  first: toZxid(first),
  last: toZxid(last),
  body: new Uint8Array([first, last]),
});

/** A log whose reads complete when the test says so; the link's only dependency that takes time. */
class SlowLog implements Pick<CommitLog, 'read' | 'pin' | 'base'> {
  readonly base = toZxid(0);
  readonly batches: Batch[] = [];
  readonly pins = new Set<Zxid>();
  private pending: (() => void)[] = [];

  pin(after: Zxid): () => void {
    this.pins.add(after);
    return () => this.pins.delete(after);
  }

  read(after: Zxid, _bytesMax: number, done: (error: Error | null, batches: readonly Batch[]) => void): void {
    this.pending.push(() =>
      done(
        null,
        this.batches.filter((batch) => batch.last > after),
      ),
    );
  }

  complete(): void {
    const pending = this.pending;
    this.pending = [];
    for (const task of pending) task();
  }
}

describe('FollowerLink', () => {
  let log: SlowLog;
  let sent: string[];
  let queued: number;
  let snapshot: ((installed: Zxid) => void) | null;
  let broken: string[];
  let link: FollowerLink;
  const propose = (batch: Batch): void => {
    log.batches.push(batch);
    link.propose(batch, [batch.body]);
  };
  const message = (name: string): readonly Bytes[] => [new TextEncoder().encode(name)];

  beforeEach(() => {
    log = new SlowLog();
    sent = [];
    queued = 0;
    snapshot = null;
    broken = [];
    link = new FollowerLink({
      log: () => log,
      send: (chunks) => {
        const bytes = chunks[0] as Bytes;
        sent.push((bytes[0] as number) < 32 ? `${bytes[0]}-${bytes[1]}` : new TextDecoder().decode(bytes));
      },
      queuedBytes: () => queued,
      proposal: (batch) => [batch.body],
      sendSnapshot: (done) => {
        snapshot = done;
      },
      broken: (reason) => broken.push(reason),
    });
  });

  test('sends what was missing, then what was proposed meanwhile, without a gap or a repetition', () => {
    log.batches.push(batchOf(1, 2), batchOf(3, 4));
    link.streamLog(toZxid(0), toZxid(4));
    link.send(message('newLeader'));
    propose(batchOf(5, 6));
    propose(batchOf(7, 7));
    expect(sent).toEqual([]);
    log.complete();
    log.complete();
    propose(batchOf(8, 8));
    expect(sent).toEqual(['1-2', '3-4', 'newLeader', '5-6', '7-7', '8-8']);
    expect(link.catchingUp).toBe(false);
    expect(log.pins.size).toBe(0);
  });

  test('never sends newLeader ahead of what it covers, however much the log has grown by then', () => {
    log.batches.push(batchOf(1, 2));
    link.streamLog(toZxid(0), toZxid(2));
    link.send(message('newLeader'));
    propose(batchOf(3, 3));
    log.complete();
    expect(sent).toEqual(['1-2', 'newLeader']);
    log.complete();
    expect(sent).toEqual(['1-2', 'newLeader', '3-3']);
  });

  test('goes on behind a snapshot from where it was installed', () => {
    log.batches.push(batchOf(1, 2), batchOf(3, 4));
    link.streamSnapshot(toZxid(4));
    link.send(message('newLeader'));
    expect(sent).toEqual([]);
    snapshot?.(toZxid(2));
    log.complete();
    expect(sent).toEqual(['3-4', 'newLeader']);
  });

  test('a slow follower is served from the log once its socket has drained', () => {
    propose(batchOf(1, 1));
    queued = 100 * 2 ** 20;
    propose(batchOf(2, 2));
    propose(batchOf(3, 3));
    expect(sent).toEqual(['1-1']);
    expect(log.pins.size).toBe(1);
    queued = 0;
    link.drained();
    log.complete();
    expect(sent).toEqual(['1-1', '2-2', '3-3']);
    expect(log.pins.size).toBe(0);
  });

  test('says so when the log no longer holds what the follower needs', () => {
    link.streamLog(toZxid(0), toZxid(4));
    log.complete();
    expect(broken).toHaveLength(1);
  });

  test('does nothing more once closed', () => {
    log.batches.push(batchOf(1, 2));
    link.streamLog(toZxid(0), toZxid(2));
    link.close();
    log.complete();
    expect(sent).toEqual([]);
    expect(log.pins.size).toBe(0);
  });
});
