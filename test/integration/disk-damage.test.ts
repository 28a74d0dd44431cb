// Damage on the disk of one member: it says what is wrong, takes no part, and the command that it names brings it back.

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { memberFile } from '../../src/cli/local-ensemble/local-ensemble.js';
import type { LocalNode } from '../../src/cli/local-ensemble/local-node.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { rebuildCommandIn } from '../harness/named-command.js';
import { type RunResult, runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';

const damagedExit = 6;
/** Short waits for a lost disk, and segments that a small load fills. */
const settings = {
  Timing: { SyncLimitMs: 600 },
  Limits: {
    ValueBytesMax: 16_384,
    TransactionBytesMax: 24_576,
    BatchBytesMax: 32_768,
    LogSegmentBytes: 65_536,
  },
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
  const command = rebuildCommandIn(text);
  if (command === undefined) throw new Error(`no command in: ${text}`);
  return command;
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

test('a row that is rotten ends the member that reads it, by a client or by itself, and it is rebuilt', async () => {
  await withEnsemble({ settings }, async (test) => {
    const node = await loadedMember(test);
    const key = 'rotten';
    const value = `a value like no other ${'-'.repeat(100)}`;
    const set = await runZabtree(['set', key, value, '--peer', node.addresses.RequestAddr]);
    expect(set, set.stderr).toMatchObject({ code: 0 });
    const file = join(named(node, 'tree-'), 'tree.mdb');
    const isThere = (): boolean => readFileSync(file).includes(value);
    await until('the value in the tree', { timeoutMs: patienceMs }, () => isThere() || undefined);
    await node.stop();
    for (let at = readFileSync(file).indexOf(value); at >= 0; at = readFileSync(file).indexOf(value))
      overwrite(file, at, Buffer.from('b'));
    const kept = join(test.ensemble.directory, 'kept');
    cpSync(node.dataDirectory, kept, { recursive: true });

    node.configure({
      ...memberFile(
        test.ensemble.nodes.map(({ addresses }) => addresses),
        node.addresses,
      ),
      ...settings,
      Timing: { ...settings.Timing, ScrubDelayMs: 1 },
    });
    const alone = await node.start();
    expect(await alone.exited).toEqual({ code: damagedExit, signal: null });
    expect(node.log()).toMatch(/row .*rotten.* of table "versions": its checksum does not match/);

    rmSync(node.dataDirectory, { recursive: true });
    cpSync(kept, node.dataDirectory, { recursive: true });
    node.configure({
      ...memberFile(
        test.ensemble.nodes.map(({ addresses }) => addresses),
        node.addresses,
      ),
      ...settings,
    });
    const asked = await node.start();
    await test.leader();
    const read = await runZabtree(['get', key, '--local', '--peer', node.addresses.RequestAddr]);
    expect(read.code).not.toBe(0);
    expect(read.stdout).toBe('');
    expect(await asked.exited).toEqual({ code: damagedExit, signal: null });
    const command = await refused(node, /damage was found in it at .*its checksum does not match/);
    expect(command).toEqual(commandIn(node.log()));
    await rebuild(test, node, command);
    expect(await runZabtree(['get', key, '--local', '--peer', node.addresses.RequestAddr])).toMatchObject({
      stdout: value,
    });
  });
});

test('a member whose tree silently differs from the others stops, and the others go on', async () => {
  await withEnsemble(
    { settings: { ...settings, Timing: { ...settings.Timing, DigestIntervalMs: 300 } } },
    async (test) => {
      const node = await loadedMember(test);
      const others = test.ensemble.nodes.filter((other) => other !== node);
      const key = 'diverged';
      expect(await runZabtree(['set', key, 'right', '--peer', node.addresses.RequestAddr])).toMatchObject({ code: 0 });
      const file = join(named(node, 'tree-'), 'tree.mdb');
      await until(
        'the key in the tree',
        { timeoutMs: patienceMs },
        () => readFileSync(file).includes(key) || undefined,
      );
      await node.stop();
      rewriteSilently(named(node, 'tree-'), key, 'wrong');
      const process = await node.start();
      expect(await process.exited).toEqual({ code: damagedExit, signal: null });
      expect(node.log()).toMatch(/its tree differs at zxid \d+\.\d+ from the one that a majority/);
      expect(others.every((other) => other.running)).toBe(true);
      await refused(node, /its tree differs at zxid/);
    },
  );
});

/** Changes the value of a key's newest version and gives the row a checksum that fits, in a process of its own. */
function rewriteSilently(tree: string, key: string, value: string): void {
  const storage = new URL('../../dist/storage/', import.meta.url).href;
  const script = `
    const { openTables } = await import('${storage}lmdb-tables.js');
    const { seal } = await import('${storage}tree-rows.js');
    const [, tree, key, value] = process.argv;
    const tables = openTables(tree, { existing: true });
    let changed = 0;
    tables.root.transactionSync(() => {
      for (const { key: row, value: stored } of [...tables.versions.getRange({ start: Buffer.from([0]) })]) {
        if (!Buffer.from(row.subarray(9)).equals(Buffer.from(key))) continue;
        const bytes = Buffer.from(stored);
        bytes.write(value, bytes.length - value.length);
        tables.versions.put(Buffer.from(row), seal(row, bytes));
        changed += 1;
      }
    });
    process.exit(changed === 1 ? 0 : 1);`;
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script, tree, key, value]);
  expect(status, String(stderr)).toBe(0);
}

test('a member verifies everything that it has on disk and says when it has', async () => {
  await withEnsemble({ nodes: 1, settings: { Timing: { ScrubDelayMs: 100, ScrubIntervalMs: 100 } } }, async (test) => {
    await test.start();
    const load = test.load({ count: 300 });
    await load.finished;
    await until('a round over all of it', { timeoutMs: patienceMs }, async () => {
      const response = await fetch(`http://${test.node(0).addresses.RequestAddr}/healthz`);
      const { lastScrub } = (await response.json()) as { readonly lastScrub: { readonly rows: number } | null };
      // A head and a version for each key.
      return lastScrub !== null && lastScrub.rows >= 600 ? lastScrub : undefined;
    });
    expect(test.node(0).log()).toContain('verified everything on disk');
  });
});

test('a tree whose pages are gone is refused, where LMDB ends the process from the next boot on', async () => {
  await withEnsemble({ settings }, async (test) => {
    const node = await loadedMember(test);
    await node.stop();
    const file = join(named(node, 'tree-'), 'tree.mdb');
    // Behind the two pages that a boot looks at itself.
    overwrite(file, 8192, Buffer.alloc(statSync(file).size - 8192));
    // Which of the two it is depends on what LMDB makes of the zeros.
    const first = await startAlone(node);
    if (first.signal === null) expect(first, first.stderr).toMatchObject({ code: damagedExit });
    else expect(first.signal, first.stderr).toMatch(/SIG(SEGV|BUS|ABRT)/);
    const command = await refused(node, /Cannot open data directory/);
    // Asking again does not make it whole.
    await refused(node, /Cannot open data directory/);
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
