// The metrics page in Prometheus' text format. What is counted are plain numbers elsewhere; they are read when somebody
// asks for the page, and what the library takes is loaded with the first one who does.

import type { Registry } from 'prom-client';
import { type DurationHistogram, durationBoundsSeconds } from '../shared/duration-histogram.js';

export interface MetricValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export type Metric = { readonly name: string; readonly help: string } & (
  | { readonly type: 'gauge' | 'counter'; readonly read: () => number | readonly MetricValue[] }
  | { readonly type: 'histogram'; readonly read: () => DurationHistogram }
);

interface Sample extends MetricValue {
  readonly metricName?: string;
}

/** What the library asks of a metric when it writes the page. */
interface CollectedMetric {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly Sample[];
}

export class MetricsPage {
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8';
  private readonly metrics: readonly Metric[];
  private registry: Promise<Registry> | undefined;

  constructor(metrics: readonly Metric[]) {
    this.metrics = metrics;
  }

  async text(): Promise<string> {
    this.registry ??= registryOf(this.metrics);
    return (await this.registry).metrics();
  }
}

async function registryOf(metrics: readonly Metric[]): Promise<Registry> {
  const { Registry, collectDefaultMetrics } = await import('prom-client');
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const metric of metrics) {
    const collected = { name: metric.name, get: async (): Promise<CollectedMetric> => collect(metric) };
    // The library asks for no more than this, which its types do not say.
    registry.registerMetric(collected as unknown as Parameters<Registry['registerMetric']>[0]);
  }
  return registry;
}

function collect(metric: Metric): CollectedMetric {
  const { name, help, type } = metric;
  return { name, help, type, aggregator: 'sum', values: samplesOf(metric) };
}

function samplesOf(metric: Metric): readonly Sample[] {
  if (metric.type === 'histogram') return histogramSamples(metric.name, metric.read());
  const read = metric.read();
  return typeof read === 'number' ? [{ labels: {}, value: read }] : read;
}

function histogramSamples(name: string, { counts, sumSeconds }: DurationHistogram): readonly Sample[] {
  const samples: Sample[] = [];
  let total = 0;
  counts.forEach((count, index) => {
    total += count;
    const le = String(durationBoundsSeconds[index] ?? '+Inf');
    samples.push({ metricName: `${name}_bucket`, labels: { le }, value: total });
  });
  samples.push({ metricName: `${name}_sum`, labels: {}, value: sumSeconds });
  samples.push({ metricName: `${name}_count`, labels: {}, value: total });
  return samples;
}
