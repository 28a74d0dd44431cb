// Nothing that the command line takes is missing where people look for it: help, the completion of each shell, the
// reference, and the help of the interactive client. Compared with the program itself.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { tcpTransport } from '../client/tcp-transport.js';
import { ZabtreeClient } from '../client/zabtree-client.js';
import { completionScript } from './commands/completion-command.js';
import { createWholeProgram } from './main.js';
import { LineReader } from './repl/line-reader.js';
import { ReplCommands } from './repl/repl-commands.js';

interface Known {
  readonly words: readonly string[];
  readonly command: Command;
  /** As typed: `--limit`, `-o`. */
  readonly flags: readonly string[];
  readonly subcommands: readonly string[];
  readonly choices: readonly string[];
}

function knownIn(command: Command, words: readonly string[]): Known[] {
  const own = command.options.flatMap(({ short, long }) => [short, long]).filter((flag) => typeof flag === 'string');
  const known: Known = {
    words,
    command,
    flags: [...own, '-h', '--help'],
    subcommands: command.commands.map((child) => child.name()),
    choices: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [known, ...command.commands.flatMap((child) => knownIn(child, [...words, child.name()]))];
}

const program = await createWholeProgram();
const all = knownIn(program, []);
const cases = all.map((known) => [['zabtree', ...known.words].join(' '), known] as const);
const reference = readFileSync(new URL('../../docs/reference/command-line.md', import.meta.url), 'utf8');
const configuration = readFileSync(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8');

/** The help of these commands is their reference. */
const referredToHelp = ['bench', 'demo', 'simulate'];

it('the program has the commands that this test is about', () => {
  const names = all.map(({ words }) => words.join(' '));
  expect(names).toEqual(expect.arrayContaining(['', 'server', 'config print', 'client', 'bench', 'demo', 'simulate']));
});

describe('help', () => {
  it.each(cases)('of %s lists its options, commands and choices', (_, { command, flags, subcommands, choices }) => {
    const text = command.helpInformation();
    for (const flag of flags) expect(text).toMatch(new RegExp(`^ +(-., )?${flag}\\b|^ +${flag},`, 'm'));
    for (const name of subcommands) expect(text).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
    for (const choice of choices) expect(text).toContain(`"${choice}"`);
  });
});

describe('completionScript()', () => {
  const hasBash = spawnSync('bash', ['--version']).status === 0;

  /** What bash offers behind these words. */
  function offered(lines: readonly (readonly string[])[]): string[][] {
    const asked = lines.map(
      (words) => `COMP_WORDS=(${words.join(' ')} ''); COMP_CWORD=${words.length}; _zabtree; echo "\${COMPREPLY[*]}"`,
    );
    const input = `${completionScript('bash', program)}\n${asked.join('\n')}\n`;
    const { stdout, stderr } = spawnSync('bash', ['--norc'], { input, encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '));
  }

  it.skipIf(!hasBash)('for bash offers every command, option and choice', () => {
    const answers = offered(all.map(({ words }) => ['zabtree', ...words]));
    for (const [index, { words, flags, subcommands, choices }] of all.entries()) {
      const answer = answers[index];
      expect(answer, words.join(' ')).toEqual(expect.arrayContaining([...flags, ...subcommands, ...choices]));
    }
  });

  it.skipIf(!hasBash)('for bash offers the values of options, and the same behind an argument', () => {
    const [formats, levels, afterKey, help] = offered([
      ['zabtree', 'get', '-o'],
      ['zabtree', 'simulate', '--nodes'],
      ['zabtree', 'get', 'key'],
      ['zabtree', 'help'],
    ]);
    expect(formats).toEqual(['text', 'json']);
    expect(levels).toEqual(['3', '5', '7']);
    expect(afterKey).toContain('--local');
    expect(help).toEqual(expect.arrayContaining(['server', 'demo', 'completion']));
  });

  it.each(cases)('for zsh has %s with all it takes', (_, { words, flags, subcommands, choices }) => {
    const path = words.join(' ');
    const pattern = words.length === 0 ? `    '') ` : `    '${path}'|'${path} '*) `;
    const line = completionScript('zsh', program)
      .split('\n')
      .find((text) => text.startsWith(pattern));
    for (const flag of flags) expect(line).toContain(`'${flag}[`);
    for (const name of subcommands) expect(line).toContain(`'${name}:`);
    if (choices.length > 0) expect(line).toContain(`(${choices.join(' ')})`);
  });

  it.each(cases)('for fish has %s with all it takes', (_, { words, flags, subcommands, choices }) => {
    const condition =
      words.length === 0
        ? `'__fish_use_subcommand'`
        : `'${words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')}`;
    const lines = completionScript('fish', program)
      .split('\n')
      .filter((text) => text.startsWith(`complete -c zabtree -n ${condition}`));
    for (const flag of flags) {
      const wanted = flag.startsWith('--') ? ` -l ${flag.slice(2)} ` : ` -s ${flag.slice(1)} `;
      expect(
        lines.filter((line) => line.includes(wanted)),
        flag,
      ).not.toEqual([]);
    }
    for (const name of subcommands)
      expect(
        lines.filter((line) => line.includes(` -a ${name} `)),
        name,
      ).not.toEqual([]);
    if (choices.length > 0) expect(lines.join('\n')).toContain(`-a '${choices.join(' ')}'`);
  });
});

describe('docs/reference', () => {
  it.each(cases.slice(1))('describes %s', (_, { words, flags, subcommands }) => {
    const [name = ''] = words;
    if (subcommands.length > 0) return;
    expect(reference).toMatch(new RegExp(`(\`|zabtree )${words.join(' ')}\\b`));
    if (referredToHelp.includes(name)) return;
    for (const flag of flags) {
      if (flag !== '-h' && flag !== '--help' && flag !== '--output')
        expect(reference + configuration, flag).toMatch(new RegExp(`[^-\\w]${flag}\\b`));
    }
  });
});

describe('the interactive client', () => {
  const client = new ZabtreeClient({ peers: ['127.0.0.1:1'], transport: tcpTransport });
  const options = { complete: () => [], onInterrupt: () => undefined };
  const reader = new LineReader({ input: new PassThrough(), output: new PassThrough(), ...options });
  const commands = new ReplCommands({
    client,
    target: { peers: ['127.0.0.1:1'], transport: tcpTransport },
    reader,
    timeoutMs: 1_000,
  });

  it.each(commands.names)('lists %s in its help, completes it, and has it in the reference', (name) => {
    expect(commands.helpText).toMatch(new RegExp(`^(.*, )?${name}\\b`, 'm'));
    expect(commands.completions('')).toContain(name);
    expect(reference).toMatch(new RegExp(`\`${name}\\b|\\b${name}[,)]`, 'm'));
  });
});
