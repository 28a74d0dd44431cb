#!/usr/bin/env node
// Copies the generated protocol code, which tsc does not emit, from src/wire/generated into dist/wire/generated.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const from = join(root, 'src/wire/generated');
const to = join(root, 'dist/wire/generated');

mkdirSync(to, { recursive: true });
for (const name of readdirSync(from)) {
  if (name === 'protocol.js' || name === 'protocol.d.ts') copyFileSync(join(from, name), join(to, name));
}
