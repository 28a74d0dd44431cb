// GET /healthz: 200 while this node answers writes and linearizable reads, 503 while it does not. Asks nobody else.

import type { StoreService } from '../../../service/store-service.js';
import type { HttpRoute } from '../../http-handler.js';

export function healthzRoute(service: StoreService): HttpRoute {
  return {
    prefix: '/healthz',
    handle: (request, response) => {
      if (request.path !== '/healthz') return false;
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.answer(405, { allow: 'GET, HEAD' }, '');
        return true;
      }
      const { serving, role, zxid, revision, lastScrub } = service.status();
      const body = JSON.stringify({ serving, role, zxid, revision, lastScrub });
      const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
      response.answer(serving ? 200 : 503, headers, `${body}\n`);
      return true;
    },
  };
}
