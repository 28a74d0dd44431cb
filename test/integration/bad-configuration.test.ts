// What an operator can get wrong before a server runs: each ends in one clear error and harms nothing.

import { createSocket } from 'node:dgram';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeAddresses, memberFile } from '../../src/cli/local-ensemble/local-ensemble.js';
import type { NodeAddresses, NodeFile } from '../../src/cli/local-ensemble/local-node.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { type RunResult, runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';

/** Starts a server that is expected to end by itself. */
async function refused(test: TestEnsemble, file: NodeFile | string): Promise<RunResult> {
  const path = join(test.ensemble.directory, 'bad.json');
  writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file));
  const result = await runZabtree(['server', '--config', path], {
    workingDirectory: test.ensemble.directory,
    timeoutMs: patienceMs,
  });
  expect(result.signal, `it kept running: ${result.stderr}`).toBeNull();
  expect(result.stderr).not.toContain('    at ');
  return result;
}

test('a server refuses a configuration that it cannot use, and says why', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    const [own, other] = (await freeAddresses(2)) as [NodeAddresses, NodeAddresses];
    const cases: readonly (readonly [NodeFile | string, RegExp])[] = [
      ['{"Host": ', /Cannot parse.*bad\.json/],
      [{ Host: own, Peers: [other] }, /Peers.*did you mean Peer\?/],
      [{ Host: { ...own, RequestAdr: 'x' } }, /RequestAdr.*did you mean RequestAddr\?/],
      [
        { Host: own, Peer: [{ ...other, RequestAddr: undefined, MessageAddr: own.MessageAddr }] },
        /repeats the address/,
      ],
      [{ Host: { ...own, ElectionAddr: 'nowhere' } }, /ElectionAddr/],
      [{ Host: own, Limits: { LogSegmentBytes: -1 } }, /LogSegmentBytes/],
    ];
    for (const [file, message] of cases) {
      const result = await refused(test, file);
      expect(result.stderr).toMatch(message);
      expect(result.code, result.stderr).toBe(2);
    }
    const missing = await runZabtree(['server', '--config', join(test.ensemble.directory, 'absent.json')]);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(/absent\.json.*no such file/);
  });
});

test('a server names the port that somebody else uses, and leaves no directory behind', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    const [own] = await freeAddresses(1);
    if (own === undefined) throw new Error('no address');
    const mine = join(test.ensemble.directory, 'mine');
    mkdirSync(mine);
    const before = readdirSync(test.ensemble.directory);
    for (const taken of [own.RequestAddr, own.MessageAddr, own.ElectionAddr]) {
      const occupant = await occupy(Number(taken.split(':')[1]), taken === own.ElectionAddr);
      try {
        for (const directory of ['made/for/it', 'mine']) {
          const result = await refused(test, { ...memberFile([own], own), DataDir: directory });
          expect(result.code, result.stderr).toBe(1);
          expect(result.stderr).toMatch(/^zabtree: Cannot listen /);
          expect(result.stderr).toContain(taken);
        }
      } finally {
        occupant.close();
      }
    }
    expect(readdirSync(test.ensemble.directory).filter((name) => name !== 'bad.json')).toEqual(before);
    expect(readdirSync(mine)).toEqual([]);
  });
});

async function occupy(port: number, udp: boolean): Promise<{ close(): void }> {
  if (udp) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
    return socket;
  }
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

test('a server refuses a data directory that it cannot write or that is something else', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    const [own] = await freeAddresses(1);
    if (own === undefined) throw new Error('no address');
    const file = join(test.ensemble.directory, 'a-file');
    writeFileSync(file, 'not a directory');
    const notDirectory = await refused(test, { ...memberFile([own], own), DataDir: file });
    expect(notDirectory.code).toBe(1);
    expect(notDirectory.stderr).toContain(file);
    const foreign = await refused(test, { ...memberFile([own], own), DataDir: test.ensemble.directory });
    expect(foreign.code).toBe(1);
    expect(foreign.stderr).toMatch(/not empty/);
  });
});

test('two processes cannot share a data directory, and the first is not disturbed', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    await test.start();
    const [other] = await freeAddresses(1);
    if (other === undefined) throw new Error('no address');
    const result = await refused(test, { ...memberFile([other], other), DataDir: test.node(0).dataDirectory });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain(test.node(0).dataDirectory);
    const load = test.load({ count: 20 });
    await load.finished;
    await test.verify([load]);
  });
});

test('a node whose member list differs is not let in, says so, and does not disturb the others', async () => {
  await withEnsemble({}, async (test) => {
    const [stranger] = await freeAddresses(1);
    if (stranger === undefined) throw new Error('no address');
    const members = test.ensemble.nodes.map((node) => node.addresses);
    const odd = test.node(2);
    odd.configure(memberFile([...members, stranger], odd.addresses));
    await test.ensemble.start();
    await until(
      'a word about the member list',
      { timeoutMs: patienceMs },
      () => test.ensemble.nodes.every((node) => node.log().includes('a different list of members')) || undefined,
    );
    expect(await test.stayedLeaderless([0, 1, 2], 2_000)).toBe(true);
    await odd.kill();
    odd.configure(memberFile(members, odd.addresses));
    await odd.start();
    await test.leader();
    const load = test.load({ count: 50 });
    await load.finished;
    await test.verify([load]);
  });
});
