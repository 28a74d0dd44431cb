// What happens to the ensemble as a whole: all of it dies at once, or too much of it to go on.

import { expect, test } from 'vitest';
import { runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, withEnsemble } from '../harness/test-ensemble.js';

test('all nodes killed at once and restarted keep every acknowledged write', async () => {
  await withEnsemble({}, async (test) => {
    await test.start();
    const load = test.load();
    for (let round = 0; round < 3; round++) {
      await test.progress(load, 300);
      await Promise.all(test.ensemble.nodes.map((node) => node.kill()));
      await test.ensemble.start();
      await test.leader();
      await test.progress(load, 50);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    await test.verify([load]);
  });
});

test('a minority refuses writes and linearizable reads within the deadline and answers local reads', async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const load = test.load({ count: 50 });
    await load.finished;
    const [survivor, other] = test.followersOf(leader) as [number, number];
    await test.view.caughtUp(patienceMs);
    await Promise.all([test.node(leader).kill(), test.node(other).kill()]);

    const peer = test.node(survivor).addresses.RequestAddr;
    const [write, read, local] = await Promise.all([
      runZabtree(['set', 'refused', 'value', '--peer', peer, '--timeout', '2']),
      runZabtree(['get', 'load/000000000', '--peer', peer, '--timeout', '2']),
      runZabtree(['get', 'load/000000000', '--local', '--peer', peer, '--timeout', '2']),
    ]);
    expect(write.code, write.stderr).toBe(5);
    expect(read.code, read.stderr).toBe(5);
    expect(local.code, local.stderr).toBe(0);
    expect(local.stdout).toContain('value-0');

    await test.ensemble.start();
    await test.leader();
    await test.verify([load]);
    expect((await test.view.records(survivor, 'refused')).size).toBe(0);
  });
});

test('a paused leader is deposed and, once it runs again, answers nothing stale', async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const others = test.followersOf(leader);
    const before = test.load({ prefix: 'load-before/', count: 100 });
    await before.finished;
    test.node(leader).pause();
    await test.view.leadership(patienceMs, others);
    const after = test.load({
      prefix: 'load-after/',
      count: 100,
      peers: others.map((other) => test.node(other).addresses.RequestAddr),
    });
    await after.finished;
    test.node(leader).resume();
    const peer = test.node(leader).addresses.RequestAddr;
    const read = await runZabtree(['get', 'load-after/000000099', '--peer', peer, '--timeout', '10']);
    expect(read.code, read.stderr).toBe(0);
    expect(read.stdout).toContain('value-99');
    await test.leader();
    await test.verify([before, after]);
  });
});
