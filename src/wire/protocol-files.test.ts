// A change of what travels or is stored cannot land unnoticed: each protocol file's meaning (comments apart) has a hash
// here. When this test fails: is every field number that was ever released still what it was? Can a member, a log or a
// client of the version before still be read? Then write a decision record under docs/decisions/, raise
// `protocolVersion` if an older member would misread the new bytes, and put the new hash in.

import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';

const directory = fileURLToPath(new URL('../../protocol/', import.meta.url));

const expected: Readonly<Record<string, string>> = {
  'command.proto': '11c67eb2b9e12a02',
  'election.proto': '7bb1e0576077a94c',
  'log.proto': 'ca91595accfa3dbd',
  'native.proto': '33b069b267285733',
  'peer.proto': '391d9a89a3b2ed07',
};

/** Hash of the messages, fields, numbers and types of one package, in a form that no comment or layout changes. */
function hashOf(file: string): string {
  const root = protobuf.loadSync(join(directory, file));
  const described = JSON.stringify(root.lookup(`zabtree.${file.replace('.proto', '')}`)?.toJSON());
  return createHash('sha256').update(described).digest('hex').slice(0, 16);
}

/** etcd's own API, spoken by clients that are compiled with it: nothing in it may ever mean anything else. */
const expectedOfEtcd: Readonly<Record<string, string>> = {
  'auth.proto': '69f6ff4b392014a7',
  'authpb.proto': '5cc93abb9156d7f5',
  'cluster.proto': 'd9da0c33e40a6400',
  'header.proto': '1fe841211b43f88d',
  'health.proto': '52047cb387839e6e',
  'kv.proto': 'd4bf0009a7a894b6',
  'lease.proto': 'ec3301fdb63d70ad',
  'maintenance.proto': '3b7399f2c1ef1c37',
  'mvccpb.proto': '9499cedf2d63876c',
  'v3electionpb.proto': 'a2ae0fe91dc30ab8',
  'v3lockpb.proto': '758535987cb200e8',
  'watch.proto': '83ebe4bf6f223ef5',
};

/** The same for a file of etcd's, with its services; several files share a package. */
function hashOfEtcd(file: string): string {
  const described = JSON.stringify(protobuf.loadSync(join(directory, 'etcd', file)).toJSON());
  return createHash('sha256').update(described).digest('hex').slice(0, 16);
}

describe('protocol files', () => {
  it('are all listed here', () => {
    expect(
      readdirSync(directory)
        .filter((name) => name.endsWith('.proto'))
        .sort(),
    ).toEqual(Object.keys(expected));
  });

  for (const [file, hash] of Object.entries(expected)) {
    it(`${file} means what it meant`, () => expect(hashOf(file)).toBe(hash));
  }

  it('of etcd are all listed here', () => {
    expect(readdirSync(join(directory, 'etcd')).sort()).toEqual(Object.keys(expectedOfEtcd));
  });

  for (const [file, hash] of Object.entries(expectedOfEtcd)) {
    it(`etcd/${file} means what it meant`, () => expect(hashOfEtcd(file)).toBe(hash));
  }
});
