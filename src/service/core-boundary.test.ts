import { describe, expect, it } from 'vitest';
import { SingleNode } from '../../test/support/single-node.js';
import { limits } from '../config/limits.js';
import { CoreFailure } from '../shared/core-failure.js';
import { StoreError } from '../shared/errors.js';
import { zxidZero } from '../shared/ids.js';
import { spaces } from '../tree/delta.js';
import type { RangeSelection } from '../tree/transaction.js';
import { CoreBoundary } from './core-boundary.js';
import { createStoreService } from './service.js';
import type { StoreService } from './store-service.js';
import { wholeSelection } from './whole-selection.js';

interface Setup {
  readonly node: SingleNode;
  readonly service: StoreService;
  readonly failures: CoreFailure[];
}

function setup(): Setup {
  const node = new SingleNode();
  const failures: CoreFailure[] = [];
  const coreFailed = (failure: CoreFailure): void => void failures.push(failure);
  return { node, failures, service: createStoreService(node, { scheduler: node.scheduler, limits, coreFailed }) };
}

const defect = new TypeError('what nobody expected');
function fail(): never {
  throw defect;
}

const key = Uint8Array.of(97);
const local = { local: true, seen: zxidZero, timeoutMs: 0 } as const;
const read = { ...local, local: false } as const;
const range = { from: key, to: undefined, at: undefined, limit: 0, bytesMax: 1, keysOnly: false } as const;
const selection: RangeSelection = { ...wholeSelection, from: key, to: undefined, single: true };
const nothing = (): void => undefined;
const watched = { from: key, to: undefined, single: true, seen: zxidZero, fromRevision: undefined, withInitial: false };
const watchSink = { ready: () => true, events: nothing, initial: nothing, ended: nothing };
const sink = { sizeOf: () => 0, begin: nothing, records: () => true, end: nothing };
const nobody = { user: '', accessRevision: 0 };

/** What breaks in the core, and the call that meets it. */
const meetings: readonly [string, (node: SingleNode) => void, (service: StoreService) => void][] = [
  ['a write', (node) => Object.assign(node, { submit: fail }), (service) => write(service)],
  ['a read of a key', (node) => Object.assign(node.tree, { get: fail }), (service) => service.get(key, local, nothing)],
  [
    'a read of a range',
    (node) => Object.assign(node.tree, { range: fail }),
    (service) => service.range(range, local, nothing),
  ],
  [
    'a selection',
    (node) => Object.assign(node.tree, { recordAt: fail }),
    (service) => service.select(selection, local, sink),
  ],
  [
    'a linearizable selection',
    (node) => Object.assign(node, { readBarrier: fail }),
    (service) => service.select(selection, read, sink),
  ],
  ['a barrier', (node) => Object.assign(node, { readBarrier: fail }), (service) => service.barrier(0, nothing)],
  ['a digest', (node) => Object.assign(node.tree, { digest: fail }), (service) => service.digest(nothing)],
  [
    'a copy of the state',
    (node) => Object.assign(node.tree, { contents: fail }),
    (service) => service.copyState(undefined, { opened: nothing, failed: nothing }),
  ],
  [
    'a question about users',
    (node) => Object.assign(node, { readBarrier: fail }),
    (service) => service.access.users(nobody, 0, nothing),
  ],
];

function write(service: StoreService): void {
  service.write({ command: { type: 'set', key, value: key } }, 0, nothing);
}

describe('an exception inside the core', () => {
  it.each(meetings)('that %s meets ends the process', (_, damage, ask) => {
    const { node, service, failures } = setup();
    damage(node);
    expect(() => ask(service)).toThrow(CoreFailure);
    expect(failures.map(({ cause }) => cause)).toEqual([defect]);
  });

  it('that the end of a watch meets ends the process', async () => {
    const { node, service, failures } = setup();
    let live = false;
    const liveChanged = (now: boolean): void => {
      live = now;
    };
    const handle = service.watch(watched, { ...watchSink, liveChanged });
    await expect.poll(() => live).toBe(true);
    Object.assign(node.tree, { unwatch: fail });
    expect(() => handle.cancel()).toThrow(CoreFailure);
    expect(failures).toHaveLength(1);
  });

  it('that reading a copy of the state meets ends the process', async () => {
    const { node, service, failures } = setup();
    const contents = { meta: node.tree, versions: fail, records: () => [], close: nothing };
    Object.assign(node.tree, { contents: (done: (error: null, contents: unknown) => void) => done(null, contents) });
    let rows: Iterable<unknown> = [];
    service.copyState(undefined, {
      opened: (opened) => {
        expect(() => [...opened.versions()]).toThrow(CoreFailure);
        rows = opened.records(spaces.leases);
        opened.close();
      },
      failed: nothing,
    });
    expect([...rows]).toEqual([]);
    expect(failures).toHaveLength(1);
  });

  it('is told once, and an expected outcome is none', () => {
    const told: CoreFailure[] = [];
    const boundary = new CoreBoundary((failure) => void told.push(failure));
    const expected = new StoreError('UNAUTHENTICATED', 'as asked');
    expect(boundary.thrown(expected)).toBe(expected);
    const failure = boundary.thrown(defect);
    expect(boundary.thrown(failure)).toBe(failure);
    expect(told).toEqual([failure]);
  });
});

it('what goes wrong while a command is judged by itself has changed nothing, and ends nothing', () => {
  const { service, failures } = setup();
  const transaction = null as unknown as { compares: []; success: []; failure: [] };
  expect(() => service.write({ command: { type: 'transact', transaction } }, 0, nothing)).toThrow(TypeError);
  expect(failures).toEqual([]);
});
