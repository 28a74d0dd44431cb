// Runs every *.scenario file of this folder: blocks of commands, `----`, and the trace that they must cause. With
// REWRITE=1 in the environment the traces are written anew, to be read as a story before they are committed.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Story } from './story.js';

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => name.endsWith('.scenario'));

interface Block {
  readonly commands: string;
  readonly expected: string;
}

/** Blocks are separated by an empty line; a block without `----` is a comment or has no trace yet. */
function parse(text: string): readonly Block[] {
  return text
    .trimEnd()
    .split(/\n\n+/)
    .map((block) => {
      const [commands = '', expected = ''] = block.split(/^----\n?/m);
      return { commands: commands.trimEnd(), expected: expected.trimEnd() };
    });
}

function isComment(block: Block): boolean {
  return block.commands.split('\n').every((line) => line.startsWith('#'));
}

function perform(blocks: readonly Block[]): string {
  const story = new Story();
  const told = blocks.map((block) => {
    if (isComment(block)) return block.commands;
    const trace = story.perform(block.commands);
    return `${block.commands}\n----${trace === '' ? '' : `\n${trace}`}`;
  });
  return `${told.join('\n\n')}\n`;
}

describe('scenarios', () => {
  test.each(files)('%s tells the story that is written down', (name) => {
    const path = join(folder, name);
    const written = readFileSync(path, 'utf8');
    const performed = perform(parse(written));
    if (process.env['REWRITE'] === '1') writeFileSync(path, performed);
    else expect(performed).toBe(written);
  });
});
