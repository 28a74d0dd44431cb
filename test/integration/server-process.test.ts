// A server as a process: nothing but a signal ends it, and a signal ends it cleanly.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { freeAddresses, memberFile, zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import type { LocalNode } from '../../src/cli/local-ensemble/local-node.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, withEnsemble } from '../harness/test-ensemble.js';

interface Piped {
  readonly child: ChildProcessWithoutNullStreams;
  /** Exit code and signal. */
  readonly ended: Promise<readonly [number | null, NodeJS.Signals | null]>;
}

/** Starts the node with pipes for its standard streams, and waits until it says that it is ready. */
async function piped(node: LocalNode): Promise<Piped> {
  const child = spawn(process.execPath, [zabtreeExecutable, 'server', '--config', node.configFile]);
  const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve) => {
    child.once('exit', (code, signal) => resolve([code, signal]));
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await until('a server that is ready', { timeoutMs: patienceMs }, () => text.includes('zabtree: ready') || undefined);
  return { child, ended };
}

function setKey(node: LocalNode, key: string) {
  return runZabtree(['set', key, '1', '--peer', node.addresses.RequestAddr, '--timeout', '20s']);
}

test('closed standard streams do not end a server; SIGTERM ends it with code 0 and keeps what was written', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    const node = test.node(0);
    const { child, ended } = await piped(node);
    try {
      child.stdin.end();
      child.stdout.destroy();
      child.stderr.destroy();
      expect((await setKey(node, 'a')).code).toBe(0);
      child.kill('SIGHUP');
      expect(await ended).toEqual([0, null]);
      await node.start();
      await test.leader();
      const found = await runZabtree(['get', 'a', '--peer', node.addresses.RequestAddr]);
      expect(found).toMatchObject({ code: 0, stdout: '1' });
      expect(await node.stop()).toMatchObject({ code: 0 });
    } finally {
      child.kill('SIGKILL');
    }
  });
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s ends a member that is alone and waits for the others', async (signal) => {
  await withEnsemble({}, async (test) => {
    const { child, ended } = await piped(test.node(0));
    try {
      const began = performance.now();
      child.kill(signal);
      expect(await ended).toEqual([0, null]);
      expect(performance.now() - began).toBeLessThan(5_000);
    } finally {
      child.kill('SIGKILL');
    }
  });
});

test('without a file a server is an ensemble of one, and flags and environment go before its file', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    const [own] = await freeAddresses(1);
    if (own === undefined) throw new Error('no address');
    test.node(0).configure({ ...memberFile([own], own), LogLevel: 'error' });
    const shown = await runZabtree(
      ['config', 'print', '--effective', '--config', test.node(0).configFile, '--log-format', 'json'],
      { environment: { ZABTREE_LOG_LEVEL: 'debug', ZABTREE_LOG_FORMAT: 'text' } },
    );
    expect(JSON.parse(shown.stdout)).toMatchObject({ Host: own, Peer: [], LogLevel: 'debug', LogFormat: 'json' });
  });
});
