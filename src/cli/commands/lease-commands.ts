// `lease grant`, `revoke`, `keep-alive`, `ttl` and `list`, on the command line and in the interactive client.

import { setTimeout as sleep } from 'node:timers/promises';
import { StoreError } from '../../shared/errors.js';
import { formatLease } from '../../shared/ids.js';
import type { CommandContext } from '../command-context.js';
import { counted, jsonBytes, shown, write, writeJson } from '../output.js';

export async function runGrant(context: CommandContext, seconds: number, wanted: bigint | undefined): Promise<void> {
  const options = wanted === undefined ? {} : { id: wanted };
  const { id, ttlSeconds } = await context.client.leases.grant(seconds, options);
  if (context.output === 'json') await writeJson({ id: formatLease(id), ttlSeconds });
  else {
    await write(`${formatLease(id)}\n`);
    context.tell(`granted for ${ttlSeconds} s`);
  }
}

export async function runRevoke(context: CommandContext, id: bigint): Promise<void> {
  const { revision, zxid } = await context.client.leases.revoke(id);
  if (context.output === 'json') await writeJson({ revision, zxid });
  else context.tell(`revoked ${formatLease(id)}, revision ${revision}`);
}

/** `everyMs` undefined: once. */
export async function runKeepAlive(context: CommandContext, id: bigint, everyMs: number | undefined): Promise<void> {
  for (;;) {
    await keepAlive(context, id);
    if (everyMs === undefined) return;
    await sleep(everyMs);
  }
}

async function keepAlive(context: CommandContext, id: bigint): Promise<void> {
  const { ttlSeconds } = await context.client.leases.keepAlive(id);
  if (ttlSeconds === 0) throw notFound(id);
  if (context.output === 'json') await writeJson({ id: formatLease(id), ttlSeconds });
  else context.tell(`renewed ${formatLease(id)} for ${ttlSeconds} s`);
}

export async function runTimeToLive(context: CommandContext, id: bigint, withKeys: boolean): Promise<void> {
  const { ttlSeconds, grantedSeconds, keys } = await context.client.leases.timeToLive(id, { keys: withKeys });
  if (ttlSeconds < 0) throw notFound(id);
  if (context.output === 'json') {
    const listed = withKeys ? { keys: keys.map((key) => jsonBytes('key', key)) } : {};
    await writeJson({ id: formatLease(id), ttlSeconds, grantedSeconds, ...listed });
    return;
  }
  await write(`${ttlSeconds}\n`);
  context.tell(`granted for ${grantedSeconds} s`);
  for (const key of keys) {
    await write(shown(key));
    await write('\n');
  }
}

export async function runLeaseList(context: CommandContext): Promise<void> {
  const { ids, revision } = await context.client.leases.list();
  if (context.output === 'json') await writeJson({ leases: ids.map(formatLease), revision });
  else {
    for (const id of ids) await write(`${formatLease(id)}\n`);
    context.tell(counted(ids.length, 'lease'));
  }
}

function notFound(id: bigint): StoreError {
  return new StoreError('LEASE_NOT_FOUND', `There is no lease ${formatLease(id)}`);
}
