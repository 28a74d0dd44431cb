// gometa's own example, from its README: three configuration files, three directories, three processes, and its client's
// dialogue on a real terminal.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { hasTerminal, Terminal } from '../harness/terminal.js';
import { withEnsemble } from '../harness/test-ensemble.js';

const repetition = 1_000;

test('the sample files of gometa differ from the ones made here in their ports alone', async () => {
  const shapeOf = (text: string): string => text.replace(/(127\.0\.0\.1|localhost):\d+/g, 'address');
  await withEnsemble({}, async (test) => {
    for (const [index, node] of test.ensemble.nodes.entries()) {
      const sample = fileURLToPath(new URL(`../../config/gometa/node${index + 1}.json`, import.meta.url));
      const { DataDir: _, ...made } = JSON.parse(readFileSync(node.configFile, 'utf8')) as Record<string, unknown>;
      const expected: unknown = JSON.parse(shapeOf(readFileSync(sample, 'utf8')));
      expect(JSON.parse(shapeOf(JSON.stringify(made)))).toEqual(expected);
    }
  });
});

test.skipIf(!hasTerminal)('the dialogue of gometa works on a terminal and its keys are on all nodes', async () => {
  await withEnsemble({}, async (test) => {
    await test.start();
    const terminal = new Terminal([
      process.execPath,
      zabtreeExecutable,
      'client',
      '--config',
      test.ensemble.clientFile,
    ]);
    try {
      await terminal.see(/0 - 127.*1 - 127.*2 - 127.*Select Host \(number\)/s);
      terminal.type('1');
      await command(terminal, 'Set', 'cat', 'meow', '1');
      await command(terminal, 'Add', 'load-key', 'load-value', String(repetition));
      await command(terminal, 'Add', 'doomed', 'soon gone', '1');

      await terminal.see(/Enter command/);
      terminal.type('Delete');
      await terminal.see(/Enter Key/);
      terminal.type('doomed');
      await terminal.see(/Enter command/);
      terminal.type('Get');
      await terminal.see(/Enter Key/);
      terminal.type('cat');
      await terminal.see(/Result = meow, len\(result\) = 4/);
      await terminal.see(/Enter command/);
      terminal.type('Get');
      await terminal.see(/Enter Key/);
      terminal.type(`load-key-${repetition - 1}`);
      await terminal.see(new RegExp(`Result = load-value-${repetition - 1}, `));
      await terminal.see(/Enter command/);
      terminal.type('exit');
      expect(await terminal.ended()).toBe(0);
    } finally {
      terminal.kill();
    }
    await test.view.caughtUp(20_000);
    const expected = Array.from({ length: repetition }, (_, number) => [`load-key-${number}`, `load-value-${number}`]);
    for (let node = 0; node < test.size; node++) {
      expect(await test.view.records(node, 'load-key')).toEqual(new Map(expected as [string, string][]));
      expect((await test.view.records(node, 'cat')).get('cat')).toBe('meow');
      expect((await test.view.records(node, 'doomed')).size).toBe(0);
    }
    await test.view.commonDigest(20_000);
  });
});

async function command(terminal: Terminal, name: string, key: string, value: string, count: string): Promise<void> {
  await terminal.see(/Enter command\(Add, Set, Delete, Get\)/);
  terminal.type(name);
  await terminal.see(/Enter Starting Key/);
  terminal.type(key);
  await terminal.see(/Enter Starting Value/);
  terminal.type(value);
  await terminal.see(/Enter Repetition/);
  terminal.type(count);
}
