// Mutated bytes at every port of running servers, from strangers and from one who is let in as a member, while a
// well-behaved client writes. FUZZ_INPUTS and FUZZ_SEED ask for more inputs and for others.

import { expect, test } from 'vitest';
import { loadNodeConfig } from '../../src/config/load-node-config.js';
import { fuzzInputs, fuzzSeed } from '../fuzz/fuzz-environment.js';
import {
  type Attack,
  type AttackedNode,
  type AttackOptions,
  membersAttacks,
  strangersAttacks,
} from '../fuzz/port-attacks.js';
import { WatchedEnsemble } from '../fuzz/watched-ensemble.js';
import { type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';

/** Inputs over all attacks of one test. */
const inputsDefault = 2_100;
/** Inputs between two looks at the servers. */
const roundInputs = 300;
/** Slower than any machine is. */
const inputsPerSecondMin = 50;
const timeoutMs = 120_000 + (fuzzInputs(inputsDefault) * 1_000) / inputsPerSecondMin;

/** An election is a finding here: a machine that is busy with other work must not cause one. */
const timing = { SyncLimitMs: 10_000 };
/** Of three configured members these two run; the attacker plays the third. */
const running = [0, 1];
const absentNode = 2;

function attackOptions(test: TestEnsemble): AttackOptions {
  const nodes = running.map((index): AttackedNode => {
    const { self, requestAddr } = loadNodeConfig({ file: test.node(index).configFile });
    return { ...self, requestAddr };
  });
  return { nodes, absent: loadNodeConfig({ file: test.node(absentNode).configFile }), seed: fuzzSeed() };
}

async function besiege(test: TestEnsemble, attacks: readonly Attack[]): Promise<WatchedEnsemble> {
  const watched = await WatchedEnsemble.begin(test, running);
  const share = Math.ceil(fuzzInputs(inputsDefault) / attacks.length);
  for (const { name, run } of attacks) {
    const began = performance.now();
    for (let thrown = 0; thrown < share; thrown += roundInputs) {
      await run(Math.min(roundInputs, share - thrown));
      await watched.look(name);
    }
    const rate = Math.round((share * 1_000) / (performance.now() - began));
    if (process.env['FUZZ_INPUTS'] !== undefined) {
      process.stdout.write(
        `${name.padEnd(26)} ${share} inputs, ${rate}/s, ${watched.load.acknowledged.size} writes acknowledged, ` +
          `log lines ${watched.logLines().join(' ')}, peak ${Math.round(watched.peakBytes / 2 ** 20)} MB\n`,
      );
    }
  }
  return watched;
}

async function startTwo(test: TestEnsemble): Promise<void> {
  for (const node of running) await test.node(node).start(['--bootstrap']);
}

test('strangers with mutated bytes disturb nobody', { timeout: timeoutMs }, async () => {
  const settings = { ClusterKey: 'a key that strangers do not have', Timing: timing };
  await withEnsemble({ settings }, async (test) => {
    await startTwo(test);
    const { absent, ...rest } = attackOptions(test);
    const watched = await besiege(test, strangersAttacks({ ...rest, absent: { ...absent, clusterKey: undefined } }));
    await watched.end();
    expect(watched.load.longestGapMs).toBeLessThan(timeoutMs);
  });
});

test('a member that sends mutated messages ends no process and loses no write', { timeout: timeoutMs }, async () => {
  await withEnsemble({ settings: { Timing: timing } }, async (test) => {
    await startTwo(test);
    const watched = await besiege(test, membersAttacks(attackOptions(test)));
    await watched.end();
  });
});
