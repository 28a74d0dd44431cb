// An ensemble of one in this process behind a real client port: what clients and commands are tested against where no
// further member and no disk matters.

import { type NodeConfig, nodeConfigOf } from '../../src/config/node-config.js';
import { createLog } from '../../src/observability/log.js';
import { ClientPort } from '../../src/server/client-port.js';
import { createStoreService } from '../../src/service/service.js';
import type { StoreService } from '../../src/service/store-service.js';
import { SingleNode } from './single-node.js';

export interface ServedNode {
  readonly node: SingleNode;
  readonly service: StoreService;
  /** `host:port`. */
  readonly peer: string;
  close(): Promise<void>;
}

export async function serveNode(given: Pick<NodeConfig, 'clientTls'> = {}): Promise<ServedNode> {
  const node = new SingleNode();
  const config = nodeConfigOf({
    self: { electionAddr: '127.0.0.1:1', messageAddr: '127.0.0.1:2' },
    peers: [],
    requestAddr: '127.0.0.1:3',
    listen: { request: '127.0.0.1:0' },
    ...given,
  });
  const service = createStoreService(node, { scheduler: node.scheduler, limits: config.limits });
  const port = new ClientPort({ config, log: createLog({ level: 'error', format: 'text' }) });
  port.serve({ service });
  await port.listen();
  return { node, service, peer: `127.0.0.1:${port.boundPort}`, close: () => port.close() };
}
