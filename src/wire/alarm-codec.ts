// The command that raises or disarms an alarm ↔ protobuf (zabtree.command.Alarm). Part of command-codec.ts, which has the
// commands around it.

import type { AlarmKind } from '../tree/alarm.js';
import type { Command } from '../tree/command.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';

type AlarmCommand = Extract<Command, { type: 'alarm' }>;

/** The numbers of zabtree.command.Alarm.Kind. Never renumber. */
const kindNumbers: Readonly<Record<AlarmKind, number>> = { noSpace: 1, corrupt: 2 };

/** Writes the fields of zabtree.command.Alarm. */
export function writeAlarm(writer: ProtoWriter, { active, alarm }: AlarmCommand): void {
  writer.varintField(1, kindNumbers[alarm.kind]);
  writer.bigintField(2, alarm.member);
  writer.varintField(3, active ? 1 : 0);
}

/** Reads up to the end of the reader's current message. */
export function readAlarm(reader: ProtoReader): AlarmCommand {
  let kind: AlarmKind | undefined;
  let member = 0n;
  let active = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) {
      const number = reader.varint();
      kind = (Object.keys(kindNumbers) as AlarmKind[]).find((name) => kindNumbers[name] === number);
    } else if (field === 2) member = reader.bigint();
    else if (field === 3) active = reader.varint() !== 0;
    else throw new WireError(`Cannot decode an alarm: unknown field ${field}`);
  }
  if (kind === undefined) throw new WireError('Cannot decode an alarm: its kind is not known here');
  return { type: 'alarm', active, alarm: { kind, member } };
}
