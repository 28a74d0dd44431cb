// GET /healthz: 200 while this node answers writes and linearizable reads, 503 while it does not. Asks nobody else.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { StoreService } from '../../../service/store-service.js';

export function answerHealth(service: StoreService, request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  const { serving, role, zxid, revision, lastScrub } = service.status();
  const body = JSON.stringify({ serving, role, zxid, revision, lastScrub });
  response.writeHead(serving ? 200 : 503, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : `${body}\n`);
}
