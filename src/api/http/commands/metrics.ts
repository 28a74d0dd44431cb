// GET /metrics: the node's counters for Prometheus.

import { contained } from '../../front-end-guard.js';
import type { HttpRoute } from '../../http-handler.js';

/** Where the page comes from. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

export function metricsRoute(page: MetricsText, failed: (error: unknown) => void): HttpRoute {
  return {
    prefix: '/metrics',
    handle: (request, response) => {
      if (request.path !== '/metrics') return false;
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.answer(405, { allow: 'GET, HEAD' }, '');
        return true;
      }
      page.text().then(
        contained(response, (text: string) => response.answer(200, { 'content-type': page.contentType }, text)),
        (error: unknown) => {
          failed(error);
          response.answer(500, { 'content-type': 'text/plain; charset=utf-8' }, 'The metrics cannot be collected\n');
        },
      );
      return true;
    },
  };
}
