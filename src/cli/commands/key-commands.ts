// `zabtree add`, `set`, `delete`, `get` and `broadcast`: one request, one answer.

import type { ConditionOptions, LeaseOptions, WriteResult, ZabtreeClient } from '../../client/zabtree-client.js';
import { StoreError } from '../../shared/errors.js';
import { formatLease } from '../../shared/ids.js';
import { valueArgument } from '../argument-bytes.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { jsonRecord, note, printable, write, writeJson } from '../output.js';

type Flags = ConnectionFlags & OutputFlags;

export interface LeaseFlags extends Flags {
  readonly lease?: bigint;
}

export interface ConditionFlags extends Flags {
  readonly expectedRevision?: number;
}

export interface GetFlags extends Flags {
  readonly local?: boolean;
}

export async function runAdd(key: string, value: string, flags: LeaseFlags): Promise<void> {
  const bytes = await valueArgument(value);
  await runWrite(flags, `added ${key}`, (client) => client.add(key, bytes, leaseOf(flags)));
}

export async function runSet(key: string, value: string, flags: ConditionFlags & LeaseFlags): Promise<void> {
  const bytes = await valueArgument(value);
  await runWrite(flags, `set ${key}`, (client) => client.set(key, bytes, { ...conditionOf(flags), ...leaseOf(flags) }));
}

export async function runDelete(key: string, flags: ConditionFlags): Promise<void> {
  await runWrite(flags, `deleted ${key}`, (client) => client.delete(key, conditionOf(flags)));
}

export async function runGet(key: string, flags: GetFlags): Promise<void> {
  const { record, revision, zxid } = await withClient(flags, (client) =>
    client.get(key, { local: flags.local ?? false }),
  );
  if (record === undefined) throw new StoreError('KEY_NOT_FOUND', `There is no key "${printable(Buffer.from(key))}"`);
  if (flags.output === 'json') {
    await writeJson({ ...jsonRecord(record, true), revision, zxid });
    return;
  }
  await write(record.value);
  // A terminal's prompt belongs on a line of its own; a pipe gets the value and nothing else.
  if (process.stdout.isTTY) await write('\n');
  if (record.lease !== 0n) note(`held by lease ${formatLease(record.lease)}`);
}

export async function runBroadcast(payload: string, flags: Flags): Promise<void> {
  const bytes = await valueArgument(payload);
  await withClient(flags, (client) => client.broadcast(bytes));
  if (flags.output === 'json') await writeJson({ bytes: bytes.length });
  else note(`broadcast ${bytes.length} bytes`);
}

async function runWrite(
  flags: Flags,
  done: string,
  request: (client: ZabtreeClient) => Promise<WriteResult>,
): Promise<void> {
  const { revision, zxid } = await withClient(flags, request);
  if (flags.output === 'json') await writeJson({ revision, zxid });
  else note(`${done}, revision ${revision}`);
}

function leaseOf({ lease }: LeaseFlags): LeaseOptions {
  return lease === undefined ? {} : { lease };
}

function conditionOf(flags: ConditionFlags): ConditionOptions {
  return flags.expectedRevision === undefined ? {} : { expectedRevision: flags.expectedRevision };
}
