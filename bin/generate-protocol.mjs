#!/usr/bin/env node
// Generates src/wire/generated/protocol.{js,d.ts} from protocol/*.proto with protobufjs. Run by `npm run generate`;
// the output is never committed. Does nothing when the output is newer than every input.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const protocolDir = join(root, 'protocol');
const outputDir = join(root, 'src/wire/generated');
const output = join(outputDir, 'protocol.js');
const declarations = join(outputDir, 'protocol.d.ts');

const sources = readdirSync(protocolDir)
  .filter((name) => name.endsWith('.proto'))
  .sort()
  .map((name) => join(protocolDir, name));

function resolveTool(name) {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    process.stderr.write(`Cannot generate the protocol code: "${name}" is not installed; run "npm ci" first\n`);
    process.exit(1);
  }
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

const newestInputMs = Math.max(...[...sources, fileURLToPath(import.meta.url)].map(modifiedMs));
if (Math.min(modifiedMs(output), modifiedMs(declarations)) <= newestInputMs) {
  const cliRoot = dirname(resolveTool('protobufjs-cli/package.json'));
  const run = (tool, args) =>
    execFileSync(process.execPath, [join(cliRoot, 'bin', tool), ...args], { stdio: 'inherit' });
  mkdirSync(outputDir, { recursive: true });
  // Written beside and renamed, so that a test that runs meanwhile never imports half a file.
  const draft = join(outputDir, `draft-${process.pid}.js`);
  const draftDeclarations = join(outputDir, `draft-${process.pid}.d.ts`);
  try {
    run('pbjs', [
      ...['--target', 'static-module', '--wrap', 'esm', '--dependency', 'protobufjs/minimal.js'],
      // Only what is called: half the code, which every process parses at its start.
      ...['--no-create', '--no-verify', '--no-convert', '--no-delimited', '--no-typeurl'],
      ...['--path', protocolDir, '--out', draft],
      ...sources,
    ]);
    run('pbts', ['--out', draftDeclarations, draft]);
    renameSync(draft, output);
    renameSync(draftDeclarations, declarations);
  } finally {
    rmSync(draft, { force: true });
    rmSync(draftDeclarations, { force: true });
  }
}
