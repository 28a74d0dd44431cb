// Draws requests of etcd's API from a seed: the common and the odd, the valid and the invalid. What was answered so far
// (the revision, the compacted one) steers it, so that the same seed against servers that answer alike draws the same.

import type { SeededRandom } from '../../../src/shared/random.js';
import type { Plain } from '../etcd-messages.js';

/** What both servers agree on so far. */
export interface Standing {
  readonly revision: number;
  readonly compacted: number;
}

export type Step =
  | { readonly type: 'call'; readonly path: string; readonly request: Plain }
  | { readonly type: 'watch'; readonly request: Plain }
  | { readonly type: 'cancelWatch'; readonly id: number };

const keys = ['a', 'a/1', 'a/2', 'a/2/x', 'a/3', 'b', 'b/1', 'b/2', 'c', 'd\u0000', '\u0000', '\u00ff', '\u00ff\u00ff'];
const values = ['', '1', '2', '10', 'x', 'y'.repeat(300), '\u0000\u00ff'];
/** One of them is never granted. */
const leases = ['7', '8', '9', '5000000000000000000', '404'];
const longTtl = 100_000;

const weights: readonly (readonly [number, (random: SeededRandom, standing: Standing) => Step])[] = [
  [28, (random) => call('/etcdserverpb.KV/Put', put(random))],
  [24, (random, standing) => call('/etcdserverpb.KV/Range', range(random, standing))],
  [9, (random) => call('/etcdserverpb.KV/DeleteRange', deleteRange(random))],
  [22, (random, standing) => call('/etcdserverpb.KV/Txn', transaction(random, standing, 0))],
  [2, (random, standing) => call('/etcdserverpb.KV/Compact', compaction(random, standing))],
  [4, (random) => call('/etcdserverpb.Lease/LeaseGrant', { ID: pick(random, leases.slice(0, -1)), TTL: longTtl })],
  [2, (random) => call('/etcdserverpb.Lease/LeaseRevoke', { ID: pick(random, leases) })],
  [3, (random) => call('/etcdserverpb.Lease/LeaseTimeToLive', { ID: pick(random, leases), keys: random.chance(0.7) })],
  [1, () => call('/etcdserverpb.Lease/LeaseLeases', {})],
  [4, (random, standing) => ({ type: 'watch', request: watch(random, standing) })],
  [1, (random) => ({ type: 'cancelWatch', id: random.below(40) })],
];

const total = weights.reduce((sum, [weight]) => sum + weight, 0);

export function drawStep(random: SeededRandom, standing: Standing): Step {
  let at = random.below(total);
  for (const [weight, draw] of weights) {
    if (at < weight) return draw(random, standing);
    at -= weight;
  }
  throw new Error('Cannot draw a step: the weights do not add up');
}

function call(path: string, request: Plain): Step {
  return { type: 'call', path, request };
}

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[random.below(from.length)] as T;
}

/** A field with a probability. */
function maybe(random: SeededRandom, probability: number, fields: () => Plain): Plain {
  return random.chance(probability) ? fields() : {};
}

function put(random: SeededRandom): Plain {
  const key = random.chance(0.02) ? '' : pick(random, keys);
  const odd = random.chance(0.15);
  return {
    key,
    value: pick(random, values),
    ...maybe(random, 0.25, () => ({ lease: pick(random, leases) })),
    ...maybe(random, 0.3, () => ({ prev_kv: true })),
    // When the key and the lease are both missing, which of the two is told differs (docs/reference/etcd.md).
    ...maybe(random, odd ? 0.5 : 0, () => ({
      ignore_value: true,
      lease: '0',
      ...maybe(random, 0.7, () => ({ value: '' })),
    })),
    ...maybe(random, odd ? 0.5 : 0, () => ({ ignore_lease: true, ...maybe(random, 0.7, () => ({ lease: '0' })) })),
  };
}

/** One key, a prefix, from a key on, everything, an empty or reversed range. */
function selection(random: SeededRandom): Plain {
  const key = random.chance(0.02) ? '' : pick(random, keys);
  const kind = random.below(10);
  if (kind < 4) return { key };
  if (kind < 6) return { key: 'a', range_end: 'b' };
  if (kind < 7) return { key, range_end: '\u0000' };
  if (kind < 8) return { key: '\u0000', range_end: '\u0000' };
  return { key, range_end: pick(random, keys) };
}

/** 0, mostly; else one that is kept, the current one, one of the future or one that was compacted. */
function revision(random: SeededRandom, { revision: current, compacted }: Standing): number {
  const kind = random.below(10);
  if (kind < 5) return 0;
  if (kind < 8) return compacted + random.below(Math.max(1, current - compacted + 1));
  if (kind < 9) return current + 1 + random.below(3);
  return random.below(current + 1);
}

function range(random: SeededRandom, standing: Standing): Plain {
  const some = (): number => 1 + random.below(standing.revision);
  return {
    ...selection(random),
    revision: revision(random, standing),
    // Without an order etcd takes the first keys and sorts those; zabtree sorts all (docs/reference/etcd.md).
    ...(random.chance(0.1) ? { sort_target: random.below(5) } : maybe(random, 0.3, () => ({ limit: random.below(5) }))),
    ...maybe(random, 0.4, () => ({ sort_order: 1 + random.below(2), sort_target: random.below(5) })),
    ...maybe(random, 0.15, () => ({ keys_only: true })),
    ...maybe(random, 0.1, () => ({ count_only: true })),
    ...maybe(random, 0.1, () => ({ min_mod_revision: some() })),
    ...maybe(random, 0.1, () => ({ max_mod_revision: some() })),
    ...maybe(random, 0.1, () => ({ min_create_revision: some() })),
    ...maybe(random, 0.1, () => ({ max_create_revision: some() })),
  };
}

function deleteRange(random: SeededRandom): Plain {
  // Mostly one key, else the store is empty most of the time.
  const keys = random.chance(0.7) ? { key: pick(random, ['a', 'a/1', 'a/2', 'b', 'c']) } : selection(random);
  return { ...keys, ...maybe(random, 0.4, () => ({ prev_kv: true })) };
}

/** etcd overlooks that a range to the last key holds a key that the transaction puts; zabtree refuses it (docs/reference/etcd.md). */
function deleteInTransaction(random: SeededRandom): Plain {
  const request = deleteRange(random);
  return request['range_end'] === '\u0000' ? { ...request, range_end: '' } : request;
}

function compare(random: SeededRandom, { revision: current }: Standing): Plain {
  const target = random.below(5);
  const operand: readonly Plain[] = [
    { version: random.below(4) },
    { create_revision: random.chance(0.3) ? 0 : random.below(current + 1) },
    { mod_revision: random.chance(0.3) ? 0 : random.below(current + 1) },
    { value: pick(random, values) },
    { lease: pick(random, ['0', ...leases]) },
  ];
  const { key, range_end } = random.chance(0.8) ? { key: pick(random, keys), range_end: '' } : selection(random);
  return { key, range_end: range_end ?? '', target, result: random.below(4), ...operand[target] };
}

const depthMax = 2;

function transaction(random: SeededRandom, standing: Standing, depth: number): Plain {
  const many = <T>(most: number, draw: () => T): T[] => Array.from({ length: random.below(most + 1) }, draw);
  return {
    compare: many(2, () => compare(random, standing)),
    success: many(3, () => operation(random, standing, depth)),
    failure: many(3, () => operation(random, standing, depth)),
  };
}

function operation(random: SeededRandom, standing: Standing, depth: number): Plain {
  const kind = random.below(10);
  if (kind < 4) return { request_put: put(random) };
  if (kind < 7) return { request_range: range(random, standing) };
  if (kind < 9 || depth >= depthMax) return { request_delete_range: deleteInTransaction(random) };
  return { request_txn: transaction(random, standing, depth + 1) };
}

function compaction(random: SeededRandom, { revision: current, compacted }: Standing): Plain {
  const kind = random.below(10);
  const span = Math.max(1, current - compacted);
  const wanted =
    kind < 7 ? compacted + 1 + random.below(Math.ceil(span / 2)) : kind < 8 ? Math.max(1, compacted) : current + 5;
  return { revision: wanted, physical: random.chance(0.5) };
}

function watch(random: SeededRandom, standing: Standing): Plain {
  return {
    ...selection(random),
    start_revision: revision(random, standing),
    ...maybe(random, 0.3, () => ({ prev_kv: true })),
    ...maybe(random, 0.2, () => ({ filters: [random.below(2)] })),
    ...maybe(random, 0.1, () => ({ watch_id: String(1_000 + random.below(30)) })),
  };
}
