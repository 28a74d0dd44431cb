// Numbers and ids out of messages, checked for their range: what a peer sends is never believed to be one of ours.

import { type Epoch, epochMax, type Revision, type ServerId, type Zxid } from '../shared/ids.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import { WireError } from './protobuf/wire-error.js';

/** An unsigned 64-bit field as generated code reads it: two halves, or null or undefined for 0. */
type Integer64 = number | { readonly low: number; readonly high: number } | null | undefined;

/** 0 .. 2^53-1. */
export function safeInteger(value: Integer64): number {
  if (!value) return 0;
  const number = typeof value === 'number' ? value : (value.high >>> 0) * 2 ** 32 + (value.low >>> 0);
  if (!Number.isSafeInteger(number)) throw new WireError('Cannot decode a message: number past 2^53-1');
  return number;
}

export function epochField(value: number | null | undefined): Epoch {
  const epoch = value ?? 0;
  if (epoch > epochMax) throw new WireError(`Cannot decode an epoch: ${epoch} is greater than ${epochMax}`);
  return epoch as Epoch;
}

/** Every safe integer is a zxid. */
export function zxidField(value: Integer64): Zxid {
  return safeInteger(value) as Zxid;
}

export function revisionField(value: Integer64): Revision {
  return safeInteger(value) as Revision;
}

/** Never 0: it names a member. `what` is the message, for the error's text. */
export function serverIdField(value: Integer64, what: string): ServerId {
  const id = safeInteger(value);
  if (id === 0) throw new WireError(`Cannot decode ${what}: it names no server`);
  return id as ServerId;
}

export function readZxid(reader: ProtoReader): Zxid {
  return reader.varint() as Zxid;
}
