// A leader logs writes that nobody else gets, dies, and comes back to an ensemble that went on without them.

import { expect, test } from 'vitest';
import { tcpTransport } from '../../src/client/tcp-transport.js';
import { ZabtreeClient } from '../../src/client/zabtree-client.js';
import { patienceMs, withEnsemble } from '../harness/test-ensemble.js';

test('an old leader drops its uncommitted tail when it rejoins', async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const followers = test.followersOf(leader);
    const before = test.load({ prefix: 'load-before/', count: 100 });
    await before.finished;

    // Proposals reach the sockets of paused followers and die there with them.
    for (const follower of followers) test.node(follower).pause();
    const client = new ZabtreeClient({
      peers: [test.node(leader).addresses.RequestAddr],
      transport: tcpTransport,
      timeoutMs: 1_000,
    });
    const doomed = await Promise.allSettled(
      Array.from({ length: 5 }, (_, number) => client.set(`doomed/${number}`, 'never acknowledged')),
    );
    client.close();
    expect(doomed.map(({ status }) => status)).toEqual(Array(5).fill('rejected'));
    for (const follower of followers) await test.node(follower).kill();
    await test.node(leader).kill();

    for (const follower of followers) await test.node(follower).start();
    await test.view.leadership(patienceMs, followers);
    const after = test.load({
      prefix: 'load-after/',
      count: 100,
      peers: followers.map((follower) => test.node(follower).addresses.RequestAddr),
    });
    await after.finished;
    const marks = test.logMarks();
    await test.node(leader).start();
    await test.leader();
    await test.verify([before, after]);
    for (let node = 0; node < test.size; node++) {
      expect([...(await test.view.records(node, 'doomed/')).keys()]).toEqual([]);
    }
    expect(test.syncsSince(marks)).toContain('truncate');
  });
});
