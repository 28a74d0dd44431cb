// `zabtree lease grant`, `revoke`, `keep-alive` and `ttl`.

import { setTimeout as sleep } from 'node:timers/promises';
import type { ZabtreeClient } from '../../client/zabtree-client.js';
import { StoreError } from '../../shared/errors.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { jsonBytes, note, shown, write, writeJson } from '../output.js';

type Flags = ConnectionFlags & OutputFlags;

export interface GrantFlags extends Flags {
  readonly id?: bigint;
}

export interface KeepAliveFlags extends Flags {
  /** Milliseconds between two; absent: once. */
  readonly every?: number;
}

export interface TimeToLiveFlags extends Flags {
  readonly keys?: boolean;
}

export async function runGrant(seconds: number, flags: GrantFlags): Promise<void> {
  const options = flags.id === undefined ? {} : { id: flags.id };
  const { id, ttlSeconds } = await withClient(flags, (client) => client.leases.grant(seconds, options));
  if (flags.output === 'json') await writeJson({ id: shownId(id), ttlSeconds });
  else {
    await write(`${shownId(id)}\n`);
    note(`granted for ${ttlSeconds} s`);
  }
}

export async function runRevoke(id: bigint, flags: Flags): Promise<void> {
  const { revision, zxid } = await withClient(flags, (client) => client.leases.revoke(id));
  if (flags.output === 'json') await writeJson({ revision, zxid });
  else note(`revoked ${shownId(id)}, revision ${revision}`);
}

export async function runKeepAlive(id: bigint, flags: KeepAliveFlags): Promise<void> {
  await withClient(flags, async (client) => {
    for (;;) {
      await keepAlive(client, id, flags);
      if (flags.every === undefined) return;
      await sleep(flags.every);
    }
  });
}

async function keepAlive(client: ZabtreeClient, id: bigint, flags: Flags): Promise<void> {
  const { ttlSeconds } = await client.leases.keepAlive(id);
  if (ttlSeconds === 0) throw notFound(id);
  if (flags.output === 'json') await writeJson({ id: shownId(id), ttlSeconds });
  else note(`renewed ${shownId(id)} for ${ttlSeconds} s`);
}

export async function runTimeToLive(id: bigint, flags: TimeToLiveFlags): Promise<void> {
  const { ttlSeconds, grantedSeconds, keys } = await withClient(flags, (client) =>
    client.leases.timeToLive(id, { keys: flags.keys ?? false }),
  );
  if (ttlSeconds < 0) throw notFound(id);
  if (flags.output === 'json') {
    const listed = flags.keys === true ? { keys: keys.map((key) => jsonBytes('key', key)) } : {};
    await writeJson({ id: shownId(id), ttlSeconds, grantedSeconds, ...listed });
    return;
  }
  await write(`${ttlSeconds}\n`);
  note(`granted for ${grantedSeconds} s`);
  for (const key of keys) {
    await write(shown(key));
    await write('\n');
  }
}

/** As etcd's client shows it. */
function shownId(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

function notFound(id: bigint): StoreError {
  return new StoreError('LEASE_NOT_FOUND', `There is no lease ${shownId(id)}`);
}
