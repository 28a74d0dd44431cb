// A follower is away for a while and is brought back to the leader's state: by the entries that it missed, by an image of
// the tree when the log does not reach back far enough, and with an empty disk.

import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withEnsemble } from '../harness/test-ensemble.js';

/** A log that forgets soon, so that a test need not write hundreds of megabytes. */
const shortLog = {
  Limits: {
    ValueBytesMax: 65_536,
    TransactionBytesMax: 262_144,
    BatchBytesMax: 262_144,
    LogSegmentBytes: 1_048_576,
    LogRetainBytesMax: 2_097_152,
    OverlayFlushBytes: 1_048_576,
  },
};

test('a follower catches up under load: killed, from the log; without its disk, from nothing', async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const follower = test.node(test.followersOf(leader)[0] ?? 0);
    const load = test.load();
    await test.progress(load, 300);
    await follower.kill();
    await test.progress(load, 300);
    const marks = test.logMarks();
    await follower.start();
    expect(await test.leader()).toBe(leader);
    expect(test.syncsSince(marks)).toEqual(['diff']);
    await test.progress(load, 100);

    await follower.kill();
    rmSync(follower.dataDirectory, { recursive: true });
    await test.progress(load, 200);
    await follower.start();
    await test.leader();
    await test.progress(load, 100);
    await load.stop();
    expect(load.failures).toEqual([]);
    await test.verify([load]);
  });
});

test('a follower away past the log gets a snapshot while writes go on', async () => {
  await withEnsemble({ settings: shortLog }, async (test) => {
    const leader = await test.start();
    const follower = test.node(test.followersOf(leader)[0] ?? 0);
    const load = test.load({ valueBytes: 8_192 });
    await test.progress(load, 100);
    await follower.kill();
    await test.progress(load, 2_000);
    const marks = test.logMarks();
    await follower.start();
    expect(await test.leader()).toBe(leader);
    await test.progress(load, 100);
    await load.stop();
    expect(load.failures).toEqual([]);
    await test.verify([load]);
    expect(test.syncsSince(marks)).toContain('snapshot');
  });
});

test('a node that lost its disk and one that is slow cannot together forget a write', async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const [slow, lost] = test.followersOf(leader) as [number, number];
    const before = test.load({ prefix: 'load-before/', count: 200 });
    await before.finished;
    await test.view.caughtUp(10_000);
    test.node(slow).pause();
    const during = test.load({ prefix: 'load-during/', count: 200 });
    await during.finished;
    await test.node(lost).kill();
    await test.node(leader).kill();
    await test.node(slow).kill();
    rmSync(test.node(lost).dataDirectory, { recursive: true });
    await test.node(slow).start();
    await test.node(lost).start();
    expect(await test.stayedLeaderless([slow, lost], 3_000)).toBe(true);
    await test.node(leader).start();
    await test.leader();
    await test.verify([before, during]);
  });
});
