// What commands on leases do: judged against a view, each gives operations or a failure. Only the leader runs this. No
// clock: what is drawn or measured comes through a port, and only its outcome is replicated.

import { InvariantError } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import { prefixEnd } from '../shared/bytes.js';
import { formatLease } from '../shared/ids.js';
import type { Command } from './command.js';
import { failure, type Outcome } from './command-outcome.js';
import type { CommandView } from './command-view.js';
import { type Operation, spaces } from './delta.js';
import { decodeLeaseRecord, encodeLeaseRecord, keyOfLeased, type LeaseRecord, leaseKey } from './lease-records.js';
import type { KeyRecord } from './store.js';

/** What lease commands need of the world around the tree, on the leader. */
export interface LeasePort {
  /** Shorter times to live are raised to this. */
  readonly ttlSecondsMin: number;
  /** Keys, and bytes of keys, that one revocation deletes; a lease that holds more is refused with TOO_LARGE. */
  readonly revokeKeysMax: number;
  readonly revokeBytesMax: number;
  /** A random id, never 0. It may be taken. */
  drawId(): bigint;
  /** Whole seconds that a lease still has; undefined when nobody has measured it. */
  remainingSeconds(id: bigint): number | undefined;
}

/** For a tree on which no command is executed. */
export const noLeases: LeasePort = {
  ttlSecondsMin: 1,
  revokeKeysMax: 0,
  revokeBytesMax: 0,
  drawId: () => {
    throw new InvariantError('Cannot draw a lease id: this tree executes no lease commands');
  },
  remainingSeconds: () => undefined,
};

/** Longest time to live, in seconds: milliseconds of it are still counted exactly. */
export const leaseTtlSecondsMax = 9_000_000_000;

type LeaseCommand<Type extends Command['type']> = Extract<Command, { readonly type: Type }>;

export function grantLease(
  { id, ttlSeconds }: LeaseCommand<'leaseGrant'>,
  view: CommandView,
  port: LeasePort,
): Outcome {
  if (ttlSeconds > leaseTtlSecondsMax)
    return failure('LEASE_TTL_TOO_LARGE', `Cannot grant a lease of ${ttlSeconds} s: at most ${leaseTtlSecondsMax} s`);
  if (id !== 0n && leaseOf(id, view) !== undefined)
    return failure('LEASE_EXISTS', `Cannot grant lease ${formatLease(id)}: there is one with this id`);
  const granted = id === 0n ? freeId(view, port) : id;
  const grantedSeconds = Math.max(ttlSeconds, port.ttlSecondsMin);
  return {
    type: 'effect',
    operations: [putLease(granted, { grantedSeconds, remainingSeconds: 0 }, undefined, view)],
    output: { type: 'leaseGrant', id: granted, ttlSeconds: grantedSeconds },
  };
}

/** Everything at one revision. */
export function revokeLease({ id }: LeaseCommand<'leaseRevoke'>, view: CommandView, port: LeasePort): Outcome {
  if (leaseOf(id, view) === undefined) return notFound(id);
  const held = keysOf(id, view, port);
  if (held === undefined)
    return failure(
      'TOO_LARGE',
      `Cannot revoke lease ${formatLease(id)} at once: it holds more than ${port.revokeKeysMax} keys`,
    );
  const operations: Operation[] = held.map((key) => ({ type: 'delete', space: spaces.user, key: keyOfLeased(key) }));
  const from = leaseKey(id);
  const to = prefixEnd(from);
  if (to === undefined) for (const key of held) operations.push({ type: 'delete', space: spaces.leaseKeys, key });
  else if (held.length > 0) operations.push({ type: 'deleteRange', space: spaces.leaseKeys, from, to });
  operations.push({ type: 'delete', space: spaces.leases, key: from });
  return { type: 'effect', operations };
}

/**
 * Changes nothing unless a checkpoint was written since the last one: a leader that starts from that must not know less
 * than this client.
 */
export function keepLeaseAlive({ id }: LeaseCommand<'leaseKeepAlive'>, view: CommandView): Outcome {
  const stored = leaseOf(id, view);
  if (stored === undefined)
    return { type: 'effect', operations: [], output: { type: 'leaseKeepAlive', id, ttlSeconds: 0 } };
  const { grantedSeconds, remainingSeconds } = decodeLeaseRecord(stored.value);
  const operations =
    remainingSeconds === 0 ? [] : [putLease(id, { grantedSeconds, remainingSeconds: 0 }, stored, view)];
  return { type: 'effect', operations, output: { type: 'leaseKeepAlive', id, ttlSeconds: grantedSeconds } };
}

export function leaseTimeToLive(command: LeaseCommand<'leaseTimeToLive'>, view: CommandView, port: LeasePort): Outcome {
  const { id, wantsKeys } = command;
  const stored = leaseOf(id, view);
  if (stored === undefined)
    return {
      type: 'effect',
      operations: [],
      output: { type: 'leaseTimeToLive', id, ttlSeconds: -1, grantedSeconds: 0, keys: [] },
    };
  const held = wantsKeys ? keysOf(id, view, port) : [];
  if (held === undefined)
    return failure(
      'TOO_LARGE',
      `Cannot list the keys of lease ${formatLease(id)}: it holds more than ${port.revokeKeysMax}`,
    );
  const { grantedSeconds, remainingSeconds } = decodeLeaseRecord(stored.value);
  const unmeasured = remainingSeconds > 0 ? remainingSeconds : grantedSeconds;
  return {
    type: 'effect',
    operations: [],
    output: {
      type: 'leaseTimeToLive',
      id,
      ttlSeconds: port.remainingSeconds(id) ?? unmeasured,
      grantedSeconds,
      keys: held.map(keyOfLeased),
    },
  };
}

export function checkpointLeases({ leases }: LeaseCommand<'leaseCheckpoint'>, view: CommandView): Outcome {
  const operations: Operation[] = [];
  for (const { id, remainingSeconds } of leases) {
    const stored = leaseOf(id, view);
    if (stored === undefined) continue;
    const { grantedSeconds } = decodeLeaseRecord(stored.value);
    operations.push(putLease(id, { grantedSeconds, remainingSeconds }, stored, view));
  }
  return { type: 'effect', operations };
}

function leaseOf(id: bigint, view: CommandView): KeyRecord | undefined {
  return view.recordIn(spaces.leases, leaseKey(id));
}

function freeId(view: CommandView, port: LeasePort): bigint {
  for (;;) {
    const id = port.drawId();
    if (id !== 0n && leaseOf(id, view) === undefined) return id;
  }
}

/** The index's keys of a lease in order; undefined when there are more than one revocation may delete. */
function keysOf(id: bigint, view: CommandView, port: LeasePort): readonly Bytes[] | undefined {
  const from = leaseKey(id);
  const keys: Bytes[] = [];
  let bytes = 0;
  let whole = true;
  view.scan({ space: spaces.leaseKeys, from, to: prefixEnd(from), at: undefined, keysOnly: true }, ({ key }) => {
    bytes += key.length;
    whole = keys.length < port.revokeKeysMax && bytes <= port.revokeBytesMax;
    if (whole) keys.push(key);
    return whole;
  });
  return whole ? keys : undefined;
}

function putLease(id: bigint, record: LeaseRecord, previous: KeyRecord | undefined, view: CommandView): Operation {
  return {
    type: 'put',
    space: spaces.leases,
    key: leaseKey(id),
    value: encodeLeaseRecord(record),
    createRevision: previous?.createRevision ?? view.revision,
    version: previous === undefined ? 1 : previous.version + 1,
    lease: 0n,
  };
}

function notFound(id: bigint): Outcome {
  return failure('LEASE_NOT_FOUND', `Cannot revoke lease ${formatLease(id)}: there is no such lease`);
}
