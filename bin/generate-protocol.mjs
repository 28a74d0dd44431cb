#!/usr/bin/env node
// Generates JavaScript and its declarations from the .proto files with protobufjs: our own protocol's into
// src/wire/generated, etcd's into src/api/etcd/generated. Run by `npm run generate`; the output is never committed.
// Makes nothing whose output is newer than every input.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

// Only what is called: half the code, which every process parses at its start.
const lean = ['--no-create', '--no-verify', '--no-delimited', '--no-typeurl', '--no-service'];

generate({
  from: 'protocol',
  to: 'src/wire/generated',
  outputs: { 'protocol.js': staticCode([...lean, '--no-convert']), 'protocol.d.ts': declarationsOf('protocol.js') },
});
generate({
  from: 'protocol/etcd',
  to: 'src/api/etcd/generated',
  outputs: {
    'messages.js': staticCode([...lean, '--keep-case', '--force-long']),
    'messages.d.ts': declarationsOf('messages.js'),
    'descriptor.js': descriptor,
    'descriptor.d.ts': descriptorDeclarations,
  },
});

/** Each output is made by a function of the sources and of a draft's path; in this order. */
function generate({ from, to, outputs }) {
  const protocolDir = join(root, from);
  const outputDir = join(root, to);
  const sources = readdirSync(protocolDir)
    .filter((name) => name.endsWith('.proto'))
    .sort()
    .map((name) => join(protocolDir, name));
  const names = Object.keys(outputs);
  const newestInputMs = Math.max(...[...sources, fileURLToPath(import.meta.url)].map(modifiedMs));
  if (Math.min(...names.map((name) => modifiedMs(join(outputDir, name)))) > newestInputMs) return;
  mkdirSync(outputDir, { recursive: true });
  // Written beside and renamed, so that a test that runs meanwhile never imports half a file.
  const draftOf = (name) => join(outputDir, `draft-${process.pid}-${name}`);
  try {
    for (const name of names) outputs[name]({ protocolDir, sources, draft: draftOf(name), draftOf });
    for (const name of names) renameSync(draftOf(name), join(outputDir, name));
  } finally {
    for (const name of names) rmSync(draftOf(name), { force: true });
  }
}

function staticCode(options) {
  return ({ protocolDir, sources, draft }) =>
    run('pbjs', [
      ...['--target', 'static-module', '--wrap', 'esm', '--dependency', 'protobufjs/minimal.js'],
      ...options,
      ...['--path', protocolDir, '--out', draft],
      ...sources,
    ]);
}

function declarationsOf(name) {
  return ({ draft, draftOf }) => run('pbts', ['--out', draft, draftOf(name)]);
}

/** Every message, field, enum and method by its name, for what walks them: JSON in and out. */
function descriptor({ protocolDir, sources, draft }) {
  run('pbjs', ['--target', 'json', '--keep-case', '--path', protocolDir, '--out', draft, ...sources]);
  writeFileSync(draft, `export const descriptor = ${JSON.stringify(JSON.parse(readFileSync(draft, 'utf8')))};\n`);
}

function descriptorDeclarations({ draft }) {
  writeFileSync(draft, "import type { INamespace } from 'protobufjs';\nexport const descriptor: INamespace;\n");
}

function run(tool, args) {
  const cliRoot = dirname(resolveTool('protobufjs-cli/package.json'));
  execFileSync(process.execPath, [join(cliRoot, 'bin', tool), ...args], { stdio: 'inherit' });
}

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
