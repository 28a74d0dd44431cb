// 64-bit fields of the generated messages. Ids need all 64 bits and are bigints, unsigned as everywhere inside; revisions,
// counts and limits are numbers, and what a client sends past 2^53 becomes the nearest that is exact: no revision gets there.

import { util } from 'protobufjs/minimal.js';
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

/** All 64 bits, unsigned. A field that is not there is 0. */
export function bigintOf(value: Int64 | null | undefined): bigint {
  if (value === null || value === undefined) return 0n;
  return (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0);
}

/** Signed; past ±(2^53 - 1) the nearest that is exact. A field that is not there is 0. */
export function numberOf(value: Int64 | null | undefined): number {
  if (value === null || value === undefined) return 0;
  return clamped((value.high | 0) * word + (value.low >>> 0));
}

export function clamped(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  if (value < Number.MIN_SAFE_INTEGER) return Number.MIN_SAFE_INTEGER;
  return value;
}
