#!/usr/bin/env node
// Copies the generated protocol code, which tsc does not emit, from src into dist.
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

for (const folder of ['wire/generated', 'api/etcd/generated']) {
  const from = join(root, 'src', folder);
  const to = join(root, 'dist', folder);
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    if (/^[a-z]+\.(js|d\.ts)$/.test(name)) copyFileSync(join(from, name), join(to, name));
  }
}
