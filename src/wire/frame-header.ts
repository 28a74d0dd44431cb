// The fields that begin every frame between members, on either channel: protocol version and group. A frame of another
// version is refused here, before anything else of it is believed.

import type { GroupId } from '../shared/ids.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';
import { protocolVersion } from './protocol-version.js';

const groupMax = 2 ** 32 - 1;

export function writeFrameHeader(writer: ProtoWriter, group: GroupId): void {
  writer.varintField(1, protocolVersion);
  writer.varintField(2, group);
}

/** A frame's message as it was decoded, and the group that it is for. */
export interface Framed<Message> {
  readonly group: GroupId;
  readonly message: Message;
}

/**
 * Reads header and message. `readBody` gets the field number of the message, with the reader inside it, and returns
 * undefined for a field that is unknown here.
 */
export function readFrame<Message>(
  reader: ProtoReader,
  what: string,
  readBody: (reader: ProtoReader, field: number) => Message | undefined,
): Framed<Message> {
  let version = 0;
  let group = 0;
  let message: Message | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) {
      version = reader.varint();
    } else if (field === 2) {
      group = reader.varint();
    } else {
      checkVersion(version, what);
      if (message !== undefined) throw new WireError(`Cannot decode ${what}: more than one message`);
      const outerEnd = reader.enterMessage();
      message = readBody(reader, field);
      if (message === undefined) throw new WireError(`Cannot decode ${what}: message ${field} is not known here`);
      reader.leaveMessage(outerEnd);
    }
  }
  checkVersion(version, what);
  if (message === undefined) throw new WireError(`Cannot decode ${what}: it has no message`);
  if (group > groupMax) throw new WireError(`Cannot decode ${what}: group ${group} is out of range`);
  return { group: group as GroupId, message };
}

export function checkVersion(version: number, what: string): void {
  if (version !== protocolVersion) {
    throw new WireError(`Cannot decode ${what}: protocol version is ${version}, expected ${protocolVersion}`);
  }
}
