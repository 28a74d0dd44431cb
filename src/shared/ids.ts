// Branded numbers and strings that name things across the ensemble. They are plain values at run time; the brands keep
// a zxid from being passed where a revision is meant.

import { assert } from './assert.js';

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Epoch of a leader, 0 = none yet. At most `epochMax`. */
export type Epoch = Brand<number, 'Epoch'>;
/** Zab transaction id: epoch * 2^32 + counter, one safe integer. Counter starts at 1 in each epoch; 0 = nothing logged yet. */
export type Zxid = Brand<number, 'Zxid'>;
/** Revision of the user key space. An empty ensemble is at revision 1. */
export type Revision = Brand<number, 'Revision'>;
/** 53-bit id of a member, derived from the ensemble's name and the member's MessageAddr. Never 0. */
export type ServerId = Brand<number, 'ServerId'>;
/** Id of a Zab group inside a process. Only group 0 exists today; every peer message carries it. */
export type GroupId = Brand<number, 'GroupId'>;
/** Random id of an ensemble, 32 lower-case hexadecimal digits. Drawn once by its first leader. */
export type EnsembleId = Brand<string, 'EnsembleId'>;
/** Random id of a client, a safe integer > 0. */
export type ClientId = Brand<number, 'ClientId'>;

const counterSpan = 2 ** 32;
/** Greatest epoch: the zxid stays a safe integer. */
export const epochMax = 2 ** 21 - 1;
/** Greatest counter inside one epoch; the leader moves to a new epoch before it is passed. */
export const counterMax = counterSpan - 1;
/** Counters kept free at the end of an epoch, so that the largest batch always fits. */
export const counterReserve = 2 ** 16;

export const zxidZero = 0 as Zxid;
export const epochZero = 0 as Epoch;
export const groupZero = 0 as GroupId;
/** Revision of an empty ensemble. */
export const revisionFirst = 1 as Revision;

export function toEpoch(value: number): Epoch {
  assert(
    Number.isInteger(value) && value >= 0 && value <= epochMax,
    `Cannot use ${value} as an epoch: expected an integer in 0..${epochMax}`,
  );
  return value as Epoch;
}

export function toZxid(value: number): Zxid {
  assert(Number.isSafeInteger(value) && value >= 0, `Cannot use ${value} as a zxid: expected a safe integer`);
  return value as Zxid;
}

export function toRevision(value: number): Revision {
  assert(Number.isSafeInteger(value) && value >= 0, `Cannot use ${value} as a revision: expected a safe integer`);
  return value as Revision;
}

export function toServerId(value: number): ServerId {
  assert(
    Number.isSafeInteger(value) && value > 0,
    `Cannot use ${value} as a server id: expected a positive safe integer`,
  );
  return value as ServerId;
}

export function zxidOf(epoch: Epoch, counter: number): Zxid {
  assert(Number.isInteger(counter) && counter >= 0 && counter <= counterMax, `Cannot use ${counter} as a zxid counter`);
  return (epoch * counterSpan + counter) as Zxid;
}

export function epochOf(zxid: Zxid): Epoch {
  return Math.floor(zxid / counterSpan) as Epoch;
}

export function counterOf(zxid: Zxid): number {
  return zxid % counterSpan;
}

/** A lease's 64 bits in hexadecimal, as etcd's client shows them: for people and JSON. */
export function formatLease(id: bigint): string {
  return BigInt.asUintN(64, id).toString(16);
}

/** `5.12` for counter 12 of epoch 5: for logs and people. */
export function formatZxid(zxid: Zxid): string {
  return `${epochOf(zxid)}.${counterOf(zxid)}`;
}
