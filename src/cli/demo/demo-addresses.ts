// The addresses of the demo's three nodes: those of config/demo/, or free ports when any of theirs is taken.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAddress } from '../../shared/address.js';
import { isPortFree } from '../local-ensemble/free-ports.js';
import { freeAddresses } from '../local-ensemble/local-ensemble.js';
import type { NodeAddresses } from '../local-ensemble/local-node.js';

export interface DemoAddresses {
  readonly addresses: readonly NodeAddresses[];
  /** Addresses of config/demo/ that somebody else uses; empty when they are what is returned. */
  readonly taken: readonly string[];
}

const nodeCount = 3;

export async function demoAddresses(): Promise<DemoAddresses> {
  const addresses = Array.from({ length: nodeCount }, (_, index) => hostOf(`node${index + 1}.json`));
  const all = addresses.flatMap(({ ElectionAddr, MessageAddr, RequestAddr }) => [
    ElectionAddr,
    MessageAddr,
    RequestAddr,
  ]);
  const taken: string[] = [];
  for (const address of all) {
    if (!(await isAddressFree(address))) taken.push(address);
  }
  return { addresses: taken.length === 0 ? addresses : await freeAddresses(nodeCount), taken };
}

function hostOf(name: string): NodeAddresses {
  const file = fileURLToPath(new URL(`../../../config/demo/${name}`, import.meta.url));
  const document = JSON.parse(readFileSync(file, 'utf8')) as { readonly Host: NodeAddresses };
  return document.Host;
}

async function isAddressFree(text: string): Promise<boolean> {
  const address = parseAddress(text);
  if (typeof address === 'string') throw new Error(address);
  return await isPortFree(address.port);
}
