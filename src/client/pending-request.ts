// One request of a client on its way to an answer, over as many attempts and peers as its deadline allows.

import { StoreError } from '../shared/errors.js';
import type {
  AccessChange,
  CommandEnvelope,
  KeySelection,
  NativeFrame,
  NativeRequestBody,
  RequestIdentity,
  Transaction,
  TransactionStep,
} from '../wire/native-messages.js';
import type { WriteSession } from './write-session.js';

/** Numbers, tags and lengths of a condition or an operation. */
const partOverheadBytes = 128;

/** What changes the tree. */
export type Command = CommandEnvelope['command'];

/** What is executed exactly once. */
type IdentifiedBody =
  | { readonly type: 'command'; readonly command: Command }
  | { readonly type: 'changeAccess'; readonly change: AccessChange };

/** Something that is executed exactly once, or any other request of the protocol. */
export type RequestBody = IdentifiedBody | Exclude<NativeRequestBody, { type: 'write' | 'changeAccess' }>;

export function isIdentified(body: RequestBody): body is IdentifiedBody {
  return body.type === 'command' || body.type === 'changeAccess';
}

/** As it travels, under its session's identity. */
export function identifiedBody(body: IdentifiedBody, identity: RequestIdentity): NativeRequestBody {
  if (body.type === 'changeAccess') return { ...body, identity };
  return { type: 'write', envelope: { command: body.command, identity } };
}

/**
 * `error` null: success. `frame`: what the server answered, also with an error; null when it did not. A frame's bytes are
 * views that are valid during the call: copy to keep.
 */
export type RequestDone = (error: StoreError | null, frame: NativeFrame | null) => void;

export class PendingRequest {
  readonly id: number;
  readonly body: RequestBody;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
  readonly done: RequestDone;
  /** Keys and values, bytes: what it weighs while in flight. */
  readonly weight: number;
  /** Session and number of a command, from its first attempt on. */
  session: WriteSession | undefined;
  number = 0;
  state: 'waiting' | 'inFlight' | 'retrying' | 'settled' = 'waiting';
  /** While in flight: an answer later than this means that the connection is stuck. While retrying: when to go on. */
  dueMs = 0;
  attempts = 0;
  /** A command or a broadcast may have been carried out by an attempt whose end is not known. */
  mayHaveHappened = false;
  lastError: StoreError | undefined;

  constructor(id: number, body: RequestBody, timeoutMs: number, nowMs: number, done: RequestDone) {
    this.id = id;
    this.body = body;
    this.timeoutMs = timeoutMs;
    this.deadlineMs = nowMs + timeoutMs;
    this.done = done;
    this.weight = weightOf(body);
  }

  /** What to tell the caller when the time is over. */
  failureAtDeadline(reason: string): StoreError {
    if (this.mayHaveHappened) return outcomeUnknown(this.lastError?.message ?? reason);
    if (this.lastError !== undefined) return this.lastError;
    if (this.state === 'inFlight') return new StoreError('TIMEOUT', `No answer within ${this.timeoutMs} ms`);
    return new StoreError('UNAVAILABLE', reason);
  }
}

export function outcomeUnknown(reason: string): StoreError {
  return new StoreError('OUTCOME_UNKNOWN', `The request may or may not have been carried out: ${reason}`);
}

function weightOf(body: RequestBody): number {
  switch (body.type) {
    case 'command': {
      const { command } = body;
      if (command.type === 'add' || command.type === 'set') return command.key.length + command.value.length;
      if (command.type === 'transact') return weightOfTransaction(command.transaction);
      return command.type === 'delete' ? command.key.length : 0;
    }
    case 'get':
      return body.key.length;
    case 'broadcast':
      return body.payload.length;
    default:
      return 0;
  }
}

/** Never less than what it takes on the wire. */
function weightOfTransaction({ compares, success, failure }: Transaction): number {
  let bytes = 0;
  for (const { keys, ...condition } of compares) {
    bytes += weightOfKeys(keys) + (condition.target === 'value' ? condition.operand.length : 0);
  }
  for (const step of [...success, ...failure]) bytes += weightOfStep(step);
  return bytes + partOverheadBytes;
}

function weightOfStep(step: TransactionStep): number {
  switch (step.type) {
    case 'put':
      return step.key.length + step.value.length + partOverheadBytes;
    case 'delete':
      return weightOfKeys(step.keys);
    case 'range':
      return weightOfKeys(step.selection);
    case 'transaction':
      return weightOfTransaction(step.transaction);
  }
}

function weightOfKeys({ from, to }: KeySelection): number {
  return from.length + (to?.length ?? 0) + partOverheadBytes;
}

/** Failures after which the same request may be sent again: nothing happened, or a command's identity protects it. */
export function mayRetry(pending: PendingRequest, error: StoreError): boolean {
  switch (error.code) {
    case 'NO_QUORUM':
    case 'UNAVAILABLE':
    case 'OVERLOADED':
      return true;
    case 'TIMEOUT':
    case 'OUTCOME_UNKNOWN':
      return pending.body.type !== 'broadcast';
    default:
      return false;
  }
}

/** A lost answer leaves open whether it happened. */
export function hasEffect(pending: PendingRequest): boolean {
  return isIdentified(pending.body) || pending.body.type === 'broadcast';
}

/** Hashing a large tree takes as long as it takes: silence says nothing about the peer. */
export function mayTakeLong(pending: PendingRequest): boolean {
  const { type } = pending.body;
  return type === 'digest' || type === 'digestAll' || type === 'openSnapshot' || type === 'readSnapshot';
}

/** The ensemble judged the request and refused it. Of a repeated command that is remembered, and holds for all attempts. */
export function isVerdict(error: StoreError): boolean {
  switch (error.code) {
    case 'KEY_EXISTS':
    case 'KEY_NOT_FOUND':
    case 'REVISION_MISMATCH':
    case 'COMPACTED':
    case 'FUTURE_REVISION':
    case 'LEASE_EXISTS':
    case 'LEASE_NOT_FOUND':
    case 'PERMISSION_DENIED':
    case 'ACCESS_INVALID_CHANGE':
    case 'USER_EXISTS':
    case 'USER_NOT_FOUND':
    case 'ROLE_EXISTS':
    case 'ROLE_NOT_FOUND':
    case 'ROLE_NOT_GRANTED':
    case 'PERMISSION_NOT_GRANTED':
    case 'ROOT_USER_MISSING':
    case 'ROOT_ROLE_MISSING':
      return true;
    default:
      return false;
  }
}

/** When the next thing has to happen to it. */
export function dueOf(pending: PendingRequest): number {
  if (pending.state === 'inFlight') return pending.dueMs;
  return pending.state === 'retrying' ? Math.min(pending.dueMs, pending.deadlineMs) : pending.deadlineMs;
}
