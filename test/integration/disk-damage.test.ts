// Damage on the disk of one member: it says what is wrong, takes no part, and the command that it names brings it back.

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LocalNode } from '../../src/cli/local-ensemble/local-node.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { type RunResult, runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';

const damagedExit = 6;
/** Short waits for a lost disk, and segments that a small load fills. */
const settings = {
  Timing: { SyncLimitMs: 600 },
  Limits: { ValueBytesMax: 16_384, BatchBytesMax: 32_768, LogSegmentBytes: 65_536 },
};

function startAlone(node: LocalNode): Promise<RunResult> {
  return runZabtree(['server', '--config', node.configFile], { timeoutMs: patienceMs });
}

/** Starts the damaged node, which must refuse; returns the words of the command that it names. */
async function refused(node: LocalNode, message: RegExp): Promise<string[]> {
  const result = await startAlone(node);
  expect(result.stderr).toMatch(message);
  expect(result, result.stderr).toMatchObject({ code: damagedExit, signal: null });
  expect(result.stderr).not.toContain('    at ');
  return commandIn(result.stderr);
}

function commandIn(text: string): string[] {
  const command = /^ {2}zabtree (rebuild .*)$/m.exec(text)?.[1];
  if (command === undefined) throw new Error(`no command in: ${text}`);
  return command.split(' ');
}

function named(node: LocalNode, prefix: string): string {
  const name = readdirSync(node.dataDirectory).find((candidate) => candidate.startsWith(prefix));
  if (name === undefined) throw new Error(`Cannot find ${prefix} in ${node.dataDirectory}`);
  return join(node.dataDirectory, name);
}

function segments(node: LocalNode): string[] {
  const log = named(node, 'log-');
  const names = readdirSync(log).filter((name) => name.startsWith('segment-'));
  return names.sort().map((name) => join(log, name));
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const content = readFileSync(file);
  bytes.copy(content, at);
  writeFileSync(file, content);
}

const damages: readonly {
  readonly of: string;
  readonly message: RegExp;
  readonly inflict: (node: LocalNode) => void;
}[] = [
  {
    of: 'a record in the middle of the log',
    message: /segment-\d+": at offset \d+: the body does not match its checksum.*zxid \d+\.\d+/s,
    inflict: (node) => overwrite(segments(node)[0] ?? '', 64 + 56 + 8, Buffer.from([0xff, 0x00, 0xff])),
  },
  {
    of: 'a lost segment',
    message: /segment-\d+": at offset \d+:.*a record or a whole segment is damaged or missing/s,
    inflict: (node) => rmSync(segments(node)[1] ?? ''),
  },
  {
    of: 'a lost log',
    message: /names "log-\d+", which is missing/,
    inflict: (node) => rmSync(named(node, 'log-'), { recursive: true }),
  },
  {
    of: 'a lost tree',
    message: /names "tree-\d+", which is missing/,
    inflict: (node) => rmSync(named(node, 'tree-'), { recursive: true }),
  },
  {
    of: 'a lost LMDB file',
    message: /tree\.mdb" is missing/,
    inflict: (node) => rmSync(join(named(node, 'tree-'), 'tree.mdb')),
  },
  {
    of: 'a shortened LMDB file',
    message: /tree\.mdb": it has \d+ bytes, expected at least \d+/,
    inflict: (node) => {
      const file = join(named(node, 'tree-'), 'tree.mdb');
      writeFileSync(file, readFileSync(file).subarray(0, statSync(file).size / 2));
    },
  },
  {
    of: 'a rotten manifest',
    message: /manifest cannot be used: it is damaged/,
    inflict: (node) => overwrite(join(node.dataDirectory, 'manifest'), 60, Buffer.from('x')),
  },
  {
    of: 'a lost manifest',
    message: /lost its manifest/,
    inflict: (node) => rmSync(join(node.dataDirectory, 'manifest')),
  },
];

test('damage that ends the process inside LMDB is refused from the next boot on', async () => {
  await withEnsemble({ settings }, async (test) => {
    const node = await loadedMember(test);
    await node.stop();
    overwrite(join(named(node, 'tree-'), 'tree.mdb'), 0, Buffer.alloc(8192));
    const crashed = await startAlone(node);
    expect(crashed.signal, crashed.stderr).toMatch(/SIG(SEGV|BUS|ABRT)/);
    const command = await refused(node, /reading it ends a process with SIG/);
    // Asking again does not make it whole.
    await refused(node, /reading it ends a process with SIG/);
    await rebuild(test, node, [...command, '--discard']);
    expect(readdirSync(node.dataDirectory).some((name) => name.startsWith('damaged'))).toBe(false);
  });
});

test('a member refuses every kind of damage that its boot can see, and is rebuilt by the command that it names', async () => {
  await withEnsemble({ settings }, async (test) => {
    const node = await loadedMember(test);
    await node.stop();
    const kept = join(test.ensemble.directory, 'kept');
    cpSync(node.dataDirectory, kept, { recursive: true });
    let command: string[] = [];
    for (const damage of damages) {
      rmSync(node.dataDirectory, { recursive: true });
      cpSync(kept, node.dataDirectory, { recursive: true });
      damage.inflict(node);
      command = await refused(node, damage.message);
    }
    const unasked = await runZabtree(command);
    expect(unasked, unasked.stderr).toMatchObject({ code: 2 });
    await rebuild(test, node, command);
    expect(existsSync(join(node.dataDirectory, 'damaged-1'))).toBe(true);
  });
});

/** Runs the command; the node must come back, hold everything and agree with the others. */
async function rebuild(test: TestEnsemble, node: LocalNode, command: readonly string[]): Promise<void> {
  const result = await runZabtree([...command, '--yes']);
  expect(result, result.stderr).toMatchObject({ code: 0 });
  await node.start();
  await test.leader();
  const load = test.load({ count: 20, prefix: 'after/' });
  await load.finished;
  await test.verify([]);
}

/** A running ensemble with several segments of log; returns a follower. */
async function loadedMember(test: TestEnsemble): Promise<LocalNode> {
  const leader = await test.start();
  const load = test.load({ count: 600, valueBytes: 400 });
  await load.finished;
  await test.verify([load]);
  const node = test.node(test.followersOf(leader)[0] ?? 0);
  await until('several segments', { timeoutMs: patienceMs }, () => segments(node).length > 3 || undefined);
  return node;
}
