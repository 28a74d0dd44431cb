// The client inside TLS against the real client port: whom it believes, by which name, and who it is.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedNode, serveNode } from '../../test/support/served-node.js';
import { testCertificate } from '../../test/support/test-certificates.js';
import { type TlsTransportOptions, tlsTransport } from './tls-transport.js';
import { ZabtreeClient } from './zabtree-client.js';

const authority = testCertificate('the authority');
const server = testCertificate('the server', authority);
const alice = testCertificate('alice', authority);
const other = testCertificate('another authority');

const directory = mkdtempSync(join(tmpdir(), 'zabtree-tls-client-'));
let served: ServedNode;
let choosy: ServedNode;

function put(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

beforeAll(async () => {
  const files = { certFile: put('server.pem', server.cert), keyFile: put('server.key', server.key) };
  const clientTls = { ...files, trustedCaFile: undefined, clientCertAuth: false, allowPlain: false };
  served = await serveNode({ clientTls });
  const trustedCaFile = put('ca.pem', authority.cert);
  choosy = await serveNode({ clientTls: { ...clientTls, trustedCaFile, clientCertAuth: true } });
});

afterAll(async () => {
  await served.close();
  await choosy.close();
  rmSync(directory, { recursive: true, force: true });
});

async function reaches(peer: string, options: TlsTransportOptions): Promise<string> {
  const client = new ZabtreeClient({ peers: [peer], transport: tlsTransport(options), unreachableRoundsMax: 2 });
  try {
    await client.set('k', 'v');
    return 'yes';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    client.close();
  }
}

const byName = ({ peer }: ServedNode): string => peer.replace('127.0.0.1', 'localhost');

describe('tlsTransport()', () => {
  it('believes servers that an authority vouches for, or that are named themselves', async () => {
    expect(await reaches(served.peer, { ca: authority.cert })).toBe('yes');
    expect(await reaches(served.peer, { ca: [other.cert, server.cert] })).toBe('yes');
    expect(await reaches(served.peer, { ca: other.cert })).toMatch(/self-signed|unable to/);
    expect(await reaches(served.peer, {})).toMatch(/self-signed|unable to/);
  });

  it('believes no certificate that is for another name, unless it is to believe everything', async () => {
    expect(await reaches(byName(served), { ca: authority.cert })).toMatch(/does not match certificate/);
    expect(await reaches(byName(served), { verify: false })).toBe('yes');
  });

  it('shows its certificate to servers that want one', async () => {
    expect(await reaches(choosy.peer, { ca: authority.cert, cert: alice.cert, key: alice.key })).toBe('yes');
    const refusal = await reaches(choosy.peer, { ca: authority.cert });
    expect(refusal).toMatch(/^Cannot reach /);
    expect(refusal).not.toContain('openssl');
    expect(() => tlsTransport({ cert: alice.cert, key: server.key })).toThrow(/key values mismatch/);
  });
});
