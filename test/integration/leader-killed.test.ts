// The leader dies by kill -9 under load, again and again.

import { expect, test } from 'vitest';
import { patienceMs, withEnsemble } from '../harness/test-ensemble.js';

const rounds = 10;

test('a leader killed under load ten times in a row loses no acknowledged write', { timeout: 240_000 }, async () => {
  await withEnsemble({}, async (test) => {
    let leader = await test.start();
    const load = test.load();
    for (let round = 0; round < rounds; round++) {
      await test.progress(load, 200);
      await test.node(leader).kill();
      const survivors = test.followersOf(leader);
      const next = await test.view.anyLeader(patienceMs, survivors);
      expect(survivors).toContain(next.leader);
      await test.progress(load, 50);
      await test.node(leader).start();
      leader = await test.leader();
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    await test.verify([load]);
  });
});
