// docs/reference/etcd.md says of every RPC whether it is served, and that is so.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { expect, it } from 'vitest';
import { CallActors } from '../src/api/etcd/call-actors.js';
import { plainAddresses } from '../src/api/etcd/context.js';
import { etcdMethods } from '../src/api/etcd/listener.js';
import { ResponseHeaders } from '../src/api/etcd/response-headers.js';
import { FrontEndGuard } from '../src/api/front-end-guard.js';
import { limits } from '../src/config/limits.js';
import { createLog } from '../src/observability/log.js';
import { createStoreService } from '../src/service/service.js';
import { SingleNode } from './support/single-node.js';

const protocol = fileURLToPath(new URL('../protocol/etcd/', import.meta.url));
const reference = readFileSync(new URL('../docs/reference/etcd.md', import.meta.url), 'utf8');

/** `package.Service/Method` of every file. */
function describedMethods(): string[] {
  const files = readdirSync(protocol).filter((file) => file.endsWith('.proto'));
  const root = protobuf.loadSync(files.map((file) => `${protocol}${file}`));
  const found: string[] = [];
  const visit = (namespace: protobuf.NamespaceBase): void => {
    for (const nested of namespace.nestedArray) {
      if (nested instanceof protobuf.Service) {
        const service = nested.fullName.slice(1);
        found.push(...nested.methodsArray.map(({ name }) => `${service}/${name}`));
      } else if (nested instanceof protobuf.Namespace) visit(nested);
    }
  };
  visit(root);
  return found.sort();
}

const rows = new Map(
  [...reference.matchAll(/^\| `([\w.]+\/\w+)` \| (\w+) \| (.*?) ?\|$/gm)].map((match) => [
    match[1] ?? '',
    { state: match[2], shownBy: match[3] },
  ]),
);

function servedMethods(): Set<string> {
  const node = new SingleNode();
  const service = createStoreService(node, { scheduler: node.scheduler, limits });
  const guard = new FrontEndGuard(createLog({ level: 'error', format: 'text' }));
  const headers = new ResponseHeaders(service);
  const context = { service, limits, guard, headers, addresses: plainAddresses, actorOf: () => undefined };
  return new Set([...etcdMethods(context, new CallActors(service.access)).keys()].map((path) => path.slice(1)));
}

it('docs/reference/etcd.md lists every RPC of the protocol files, once, and no other', () => {
  expect([...rows.keys()].sort()).toEqual(describedMethods());
});

it('every RPC is served as docs/reference/etcd.md says, and whatever is served has a test', () => {
  const served = servedMethods();
  for (const [method, { state, shownBy }] of rows) {
    expect(state, method).toBeOneOf(['done', 'refused', 'open']);
    expect(served.has(method), `${method} is served`).toBe(state !== 'open');
    if (state !== 'open') expect(shownBy, `what shows ${method}`).not.toBe('');
  }
});
