// 64-bit fields of the generated messages. Ids need all 64 bits and are bigints: those of leases signed, those of members
// and clusters not. Revisions, counts and limits are numbers, and what a client sends past 2^53 becomes the nearest that
// is exact: no revision gets there.

import { util } from 'protobufjs/minimal.js';
import { clampedToSafe } from '../../../wire/protobuf/proto-reader.js';
import type { etcdserverpb } from '../generated/messages.js';

/** As the generated code keeps them. */
export type Int64 = NonNullable<etcdserverpb.IResponseHeader['revision']>;

const word = 2 ** 32;

/** For a field to be encoded: the library takes no bigint, and would write 0 for one. */
export function int64Of(value: bigint | number): Int64 {
  const bits = BigInt.asUintN(64, BigInt(value));
  // The very class, of which the library's own types know only the fields.
  return new util.Long(Number(bits & 0xffff_ffffn) | 0, Number(bits >> 32n) | 0, false) as Int64;
}

/** All bits of an int64. A field that is not there is 0. */
export function bigintOf(value: Int64 | null | undefined): bigint {
  return BigInt.asIntN(64, unsignedOf(value));
}

/** All bits of a uint64. */
export function unsignedOf(value: Int64 | null | undefined): bigint {
  if (value === null || value === undefined) return 0n;
  return (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
}

/** Signed; past ±(2^53 - 1) the nearest that is exact. A field that is not there is 0. */
export function numberOf(value: Int64 | null | undefined): number {
  if (value === null || value === undefined) return 0;
  return clampedToSafe((value.high | 0) * word + (value.low >>> 0));
}
