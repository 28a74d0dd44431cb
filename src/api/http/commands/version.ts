// GET /version: which level of etcd's API this server and its ensemble implement.

import { etcdClusterVersion, etcdServerVersion } from '../../../config/etcd-version.js';
import type { HttpRoute } from '../../http-handler.js';

const body = JSON.stringify({ etcdserver: etcdServerVersion, etcdcluster: etcdClusterVersion });

export const versionRoute: HttpRoute = {
  prefix: '/version',
  handle: (request, response) => {
    if (request.path !== '/version') return false;
    if (request.method === 'GET' || request.method === 'HEAD') {
      response.answer(200, { 'content-type': 'application/json' }, body);
    } else {
      response.answer(405, { allow: 'GET', 'content-type': 'text/plain; charset=utf-8' }, 'Method Not Allowed\n');
    }
    return true;
  },
};
