// Alarms: what is wrong with a member, kept in a space of the tree until somebody disarms it, and what is refused while
// one is there. Whoever notices what is wrong is elsewhere (src/ensemble/own-alarms.ts).

import { unreachable } from '../shared/assert.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { type Alarm, type AlarmFlags, type AlarmKind, kindNumbers } from './alarm.js';
import type { Command } from './command.js';
import type { Outcome } from './command-outcome.js';
import type { CommandView } from './command-view.js';
import { type Operation, spaces } from './delta.js';
import type { ReplicatedTree } from './replicated-tree.js';
import type { Transaction, TransactionOperation } from './transaction.js';

const keyBytes = 9;

export function alarmKey({ kind, member }: Alarm): Bytes {
  const key = new Uint8Array(keyBytes);
  key[0] = kindNumbers[kind];
  new DataView(key.buffer).setBigUint64(1, BigInt.asUintN(64, member));
  return key;
}

/** undefined: a kind that a newer version knows. */
function alarmOf(key: Bytes): Alarm | undefined {
  const kind = (Object.keys(kindNumbers) as AlarmKind[]).find((name) => kindNumbers[name] === key[0]);
  if (kind === undefined || key.length !== keyBytes) return undefined;
  return { kind, member: new DataView(key.buffer, key.byteOffset, keyBytes).getBigUint64(1) };
}

/** By kind, then member. */
export function readAlarms(scan: (visit: (record: { readonly key: Bytes }) => boolean) => void): readonly Alarm[] {
  const alarms: Alarm[] = [];
  scan(({ key }) => {
    const alarm = alarmOf(key);
    if (alarm !== undefined) alarms.push(alarm);
    return true;
  });
  return alarms;
}

export function flagsOf(alarms: readonly Alarm[]): AlarmFlags {
  const has = (kind: AlarmKind): boolean => alarms.some((alarm) => alarm.kind === kind);
  return { noSpace: has('noSpace'), corrupt: has('corrupt') };
}

/** The committed alarms, at hand for every command. */
export class CommittedAlarms {
  private readonly tree: Pick<ReplicatedTree, 'scanSpace' | 'onSpaceChange'>;
  all: readonly Alarm[] = [];
  flags: AlarmFlags = flagsOf([]);

  constructor(tree: Pick<ReplicatedTree, 'scanSpace' | 'onSpaceChange'>) {
    this.tree = tree;
    const read = (): void => this.read();
    tree.onSpaceChange(spaces.alarms, { changed: read, reset: read });
    this.read();
  }

  private read(): void {
    this.all = readAlarms((visit) => this.tree.scanSpace(spaces.alarms, emptyBytes, undefined, visit));
    this.flags = flagsOf(this.all);
  }
}

const nothing: readonly Operation[] = [];

export function executeAlarm(command: Extract<Command, { type: 'alarm' }>, view: CommandView): Outcome {
  const key = alarmKey(command.alarm);
  const raised = view.recordIn(spaces.alarms, key) !== undefined;
  if (command.active) {
    if (raised) return { type: 'effect', operations: nothing };
    const { revision } = view;
    const put = { type: 'put', space: spaces.alarms, key, value: emptyBytes, version: 1, lease: 0n } as const;
    return { type: 'effect', operations: [{ ...put, createRevision: revision }] };
  }
  if (!raised) return { type: 'failure', code: 'KEY_NOT_FOUND', message: 'Cannot disarm the alarm: it is not raised' };
  return { type: 'effect', operations: [{ type: 'delete', space: spaces.alarms, key }] };
}

/** Why this command may not be executed as things are; undefined: it may. */
export function refusalOf(command: Command, view: CommandView): Extract<Outcome, { type: 'failure' }> | undefined {
  const { noSpace, corrupt } = view.alarms;
  if (!noSpace && !corrupt && !view.overQuota) return undefined;
  if (corrupt && changesKeys(command)) {
    const message = 'Cannot change keys: the alarm CORRUPT is raised, because the data of the members differ';
    return { type: 'failure', code: 'CORRUPT', message };
  }
  if ((noSpace || view.overQuota) && takesSpace(command)) {
    const message = 'Cannot put: the data has reached its quota; delete, compact, and disarm the alarm NOSPACE';
    return { type: 'failure', code: 'QUOTA_EXCEEDED', message };
  }
  return undefined;
}

function takesSpace(command: Command): boolean {
  switch (command.type) {
    case 'add':
    case 'set':
    case 'leaseGrant':
      return true;
    case 'transact':
      return someOperation(command.transaction, (operation) => operation.type === 'put');
    case 'delete':
    case 'compact':
    case 'leaseRevoke':
    case 'leaseKeepAlive':
    case 'leaseTimeToLive':
    case 'leaseCheckpoint':
    case 'alarm':
    case 'access':
    case 'checkpoint':
      return false;
    default:
      return unreachable(command);
  }
}

function changesKeys(command: Command): boolean {
  switch (command.type) {
    case 'add':
    case 'set':
    case 'delete':
    case 'compact':
    case 'leaseGrant':
    case 'leaseRevoke':
      return true;
    case 'transact':
      return someOperation(command.transaction, ({ type }) => type === 'put' || type === 'delete');
    case 'leaseKeepAlive':
    case 'leaseTimeToLive':
    case 'leaseCheckpoint':
    case 'alarm':
    case 'access':
    case 'checkpoint':
      return false;
    default:
      return unreachable(command);
  }
}

/** Whichever arm would be taken. */
function someOperation(transaction: Transaction, holds: (operation: TransactionOperation) => boolean): boolean {
  const found = (operation: TransactionOperation): boolean =>
    holds(operation) || (operation.type === 'transaction' && someOperation(operation.transaction, holds));
  return transaction.success.some(found) || transaction.failure.some(found);
}
