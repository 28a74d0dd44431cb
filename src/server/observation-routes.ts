// The paths at which monitors look at a node: probes and metrics, with the counters between them.

import { metricsRoute } from '../api/http/commands/metrics.js';
import { newProbeCounts, probeRoutes } from '../api/http/commands/probes.js';
import type { HttpRoute } from '../api/http-handler.js';
import type { Log } from '../observability/log.js';
import { MetricsPage } from '../observability/metrics-page.js';
import { type MetricSources, metricsOf } from './metrics.js';

export function observationRoutes(
  sources: Omit<MetricSources, 'probes'> & { readonly log: Pick<Log, 'error'> },
): readonly HttpRoute[] {
  const { service, log } = sources;
  const probes = newProbeCounts();
  const page = new MetricsPage(metricsOf({ ...sources, probes }));
  const failed = (error: unknown): void => log.error('Cannot collect the metrics', { error });
  return [...probeRoutes(service, probes), metricsRoute(page, failed)];
}
