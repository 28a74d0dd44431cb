// Commands of leases ↔ protobuf (zabtree.command.LeaseGrant and its neighbours). Unknown fields are refused.

import type { Command } from '../tree/command.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';

export type LeaseCommand = Extract<Command, { readonly type: `lease${string}` }>;

/** Field numbers of zabtree.command.Command. */
export const leaseFields: Readonly<Record<LeaseCommand['type'], number>> = {
  leaseGrant: 7,
  leaseRevoke: 8,
  leaseKeepAlive: 9,
  leaseTimeToLive: 10,
  leaseCheckpoint: 11,
};

const leasesMax = 65_536;

/** The command with its field. */
export function writeLeaseCommand(writer: ProtoWriter, command: LeaseCommand): void {
  const mark = writer.beginMessage(leaseFields[command.type]);
  if (command.type === 'leaseCheckpoint') {
    for (const { id, remainingSeconds } of command.leases) {
      const inner = writer.beginMessage(1);
      writer.sfixed64Field(1, id);
      writer.zigzagField(2, remainingSeconds);
      writer.endMessage(inner);
    }
  } else {
    writer.sfixed64Field(1, command.id);
    if (command.type === 'leaseGrant') writer.zigzagField(2, command.ttlSeconds);
    else if (command.type === 'leaseTimeToLive') writer.boolField(2, command.wantsKeys);
  }
  writer.endMessage(mark);
}

/** Reads up to the end of the command, which is of this field. */
export function readLeaseCommand(reader: ProtoReader, type: number): LeaseCommand {
  if (type === leaseFields.leaseCheckpoint) return readCheckpoint(reader);
  let id = 0n;
  let ttlSeconds = 0;
  let wantsKeys = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) id = reader.sfixed64();
    else if (field === 2 && type === leaseFields.leaseGrant) ttlSeconds = reader.zigzag();
    else if (field === 2 && type === leaseFields.leaseTimeToLive) wantsKeys = reader.bool();
    else throw new WireError(`Cannot decode command ${type}: unknown field ${field}`);
  }
  switch (type) {
    case leaseFields.leaseGrant:
      return { type: 'leaseGrant', id, ttlSeconds };
    case leaseFields.leaseRevoke:
      return { type: 'leaseRevoke', id };
    case leaseFields.leaseKeepAlive:
      return { type: 'leaseKeepAlive', id };
    default:
      return { type: 'leaseTimeToLive', id, wantsKeys };
  }
}

function readCheckpoint(reader: ProtoReader): LeaseCommand {
  const leases: { id: bigint; remainingSeconds: number }[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field !== 1)
      throw new WireError(`Cannot decode command ${leaseFields.leaseCheckpoint}: unknown field ${field}`);
    if (leases.length >= leasesMax) throw new WireError(`Cannot decode a checkpoint of leases: more than ${leasesMax}`);
    const outer = reader.enterMessage();
    let id = 0n;
    let remainingSeconds = 0;
    for (let inner = reader.nextField(); inner !== 0; inner = reader.nextField()) {
      if (inner === 1) id = reader.sfixed64();
      else if (inner === 2) remainingSeconds = reader.zigzag();
      else throw new WireError(`Cannot decode a checkpoint of leases: unknown field ${inner}`);
    }
    reader.leaveMessage(outer);
    leases.push({ id, remainingSeconds });
  }
  return { type: 'leaseCheckpoint', leases };
}
