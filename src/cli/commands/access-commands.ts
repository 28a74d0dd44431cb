// `auth`, `user` and `role`: what they do and print, on the command line and in the interactive client. No password is ever
// printed.

import type { KeyPermission } from '../../client/access-requests.js';
import type { RangeOptions } from '../../client/key-range.js';
import type { WriteResult } from '../../client/request-options.js';
import { equalBytes, prefixEnd } from '../../shared/bytes.js';
import { StoreError } from '../../shared/errors.js';
import type { CommandContext } from '../command-context.js';
import { jsonBytes, shown, write, writeJson } from '../output.js';

const rootName = 'root';

export async function runEnable(context: CommandContext): Promise<void> {
  const { access } = context.client;
  const enable = async (): Promise<WriteResult> => {
    try {
      return await access.enable();
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ROOT_ROLE_MISSING') throw error;
      await access.grantRole(rootName, rootName);
      return await access.enable();
    }
  };
  await changed(context, 'access control is on', await enable());
}

export async function runDisable(context: CommandContext): Promise<void> {
  await changed(context, 'access control is off', await context.client.access.disable());
}

export async function runAccessStatus(context: CommandContext): Promise<void> {
  const status = await context.client.access.status();
  if (context.output === 'json') await writeJson(status);
  else await write(`${status.enabled ? 'on' : 'off'}\n`);
}

export async function runAddUser(context: CommandContext, user: string, withPassword: boolean): Promise<void> {
  // With --user and in etcdctl a password stands behind the colon: it would be part of the name here.
  if (user.includes(':')) {
    throw new StoreError('INVALID_ARGUMENT', 'Cannot add the user: a colon is in the name; the password is asked for');
  }
  const password = withPassword ? await context.askNewPassword(user) : undefined;
  await changed(context, `added the user ${user}`, await context.client.access.addUser(user, password));
}

export async function runDeleteUser(context: CommandContext, user: string): Promise<void> {
  await changed(context, `deleted the user ${user}`, await context.client.access.deleteUser(user));
}

export async function runChangePassword(context: CommandContext, user: string): Promise<void> {
  const password = await context.askNewPassword(user);
  await changed(context, `changed the password of ${user}`, await context.client.access.changePassword(user, password));
}

export async function runGrantRole(context: CommandContext, user: string, role: string): Promise<void> {
  await changed(context, `granted ${role} to ${user}`, await context.client.access.grantRole(user, role));
}

export async function runRevokeRole(context: CommandContext, user: string, role: string): Promise<void> {
  await changed(context, `revoked ${role} from ${user}`, await context.client.access.revokeRole(user, role));
}

export async function runListUsers(context: CommandContext): Promise<void> {
  const users = await context.client.access.users();
  if (context.output === 'json') await writeJson({ users });
  else await write(users.map((user) => `${user}\n`).join(''));
}

export async function runGetUser(context: CommandContext, user: string, detail: boolean): Promise<void> {
  const { access } = context.client;
  const roles = await access.rolesOf(user);
  if (!detail) {
    if (context.output === 'json') await writeJson({ user, roles });
    else await write(roles.map((role) => `${role}\n`).join(''));
    return;
  }
  const permissions = await Promise.all(roles.map((role) => access.permissionsOf(role)));
  if (context.output === 'json') {
    const detailed = roles.map((role, index) => ({ role, permissions: permissions[index]?.map(permissionJson) ?? [] }));
    await writeJson({ user, roles: detailed });
    return;
  }
  for (const [index, role] of roles.entries()) {
    for (const permission of permissions[index] ?? []) {
      await write(Buffer.concat([Buffer.from(`${role}\t`), permissionLine(permission)]));
    }
  }
}

export async function runAddRole(context: CommandContext, role: string): Promise<void> {
  await changed(context, `added the role ${role}`, await context.client.access.addRole(role));
}

export async function runDeleteRole(context: CommandContext, role: string): Promise<void> {
  await changed(context, `deleted the role ${role}`, await context.client.access.deleteRole(role));
}

export async function runListRoles(context: CommandContext): Promise<void> {
  const roles = await context.client.access.roles();
  if (context.output === 'json') await writeJson({ roles });
  else await write(roles.map((role) => `${role}\n`).join(''));
}

export async function runGetRole(context: CommandContext, role: string): Promise<void> {
  const permissions = await context.client.access.permissionsOf(role);
  if (context.output === 'json') await writeJson({ role, permissions: permissions.map(permissionJson) });
  else await write(Buffer.concat(permissions.map(permissionLine)));
}

/** A range as it was typed. */
export interface TypedRange {
  readonly key: string;
  readonly end: string | undefined;
  readonly prefix?: boolean;
  readonly fromKey?: boolean;
}

export async function runGrantPermission(
  context: CommandContext,
  role: string,
  type: KeyPermission['type'],
  range: TypedRange,
): Promise<void> {
  const result = await context.client.access.grantPermission(role, type, rangeOf(range));
  await changed(context, `granted ${type} to ${role}`, result);
}

export async function runRevokePermission(context: CommandContext, role: string, range: TypedRange): Promise<void> {
  const result = await context.client.access.revokePermission(role, rangeOf(range));
  await changed(context, `revoked the permission from ${role}`, result);
}

function rangeOf({ key, end, prefix, fromKey }: TypedRange): RangeOptions {
  if (end !== undefined && (prefix === true || fromKey === true)) {
    throw new StoreError('INVALID_ARGUMENT', 'Cannot take the range: it has an end and --prefix or --from-key');
  }
  if (prefix === true) return { prefix: key };
  if (fromKey === true) return { from: key };
  return end === undefined ? { key } : { from: key, to: end };
}

async function changed(context: CommandContext, done: string, { revision, zxid }: WriteResult): Promise<void> {
  if (context.output === 'json') await writeJson({ revision, zxid });
  else context.tell(done);
}

/** As the options of `role grant-permission` say it. */
type ShownRange =
  | { readonly kind: 'key' | 'prefix' | 'from-key' }
  | { readonly kind: 'range'; readonly end: Uint8Array };

function shownRange({ key, rangeEnd }: KeyPermission): ShownRange {
  if (rangeEnd.length === 0) return { kind: 'key' };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { kind: 'from-key' };
  const end = prefixEnd(key);
  return end !== undefined && equalBytes(end, rangeEnd) ? { kind: 'prefix' } : { kind: 'range', end: rangeEnd };
}

/** Type, key, and behind another tab the end of a range, or which one it is. */
function permissionLine(permission: KeyPermission): Uint8Array {
  const range = shownRange(permission);
  const end = range.kind === 'range' ? shown(range.end) : range.kind === 'key' ? undefined : `--${range.kind}`;
  const cells = [permission.type, shown(permission.key), ...(end === undefined ? [] : [end])];
  const bytes = cells.flatMap((cell, index) => [Buffer.from(index === 0 ? '' : '\t'), Buffer.from(cell)]);
  return Buffer.concat([...bytes, Buffer.from('\n')]);
}

function permissionJson(permission: KeyPermission): unknown {
  const { type, key } = permission;
  const range = shownRange(permission);
  switch (range.kind) {
    case 'key':
      return { type, ...jsonBytes('key', key) };
    case 'prefix':
      return { type, ...jsonBytes('prefix', key) };
    case 'from-key':
      return { type, ...jsonBytes('from', key) };
    case 'range':
      return { type, ...jsonBytes('from', key), ...jsonBytes('to', range.end) };
  }
}
