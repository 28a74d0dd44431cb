// What clients asked and were told, in one total order of moments. Checkers of what clients see work from this alone,
// plus the ledger. A value that a client writes is unique, so a read tells which write it saw.

import type { Revision, Zxid } from '../shared/ids.js';
import type { Command, CommandResult } from '../tree/command.js';
import { keyText } from './byte-text.js';

/** Number of a write in the history, from 1; 0 = the key is absent. */
export type WriteNumber = number;
export const absent: WriteNumber = 0;

export type OperationKind = 'add' | 'set' | 'setIf' | 'delete' | 'deleteIf' | 'read';

export type Outcome =
  /** It happened. */
  | 'ok'
  /** Answered: the key exists, is missing, or has another revision. */
  | 'exists'
  | 'missing'
  | 'mismatch'
  /** Nobody was told; it happened once or never. */
  | 'unknown'
  /** Told that nothing happened. */
  | 'refused';

export interface ClientOperation {
  readonly kind: OperationKind;
  readonly key: string;
  readonly client: number;
  /** 0 for reads. */
  readonly request: number;
  /** Its own number when it writes a value, otherwise 0. */
  readonly write: WriteNumber;
  /** setIf, deleteIf: what the key must hold. */
  readonly expected: WriteNumber;
  /** Moment of the first invocation. */
  readonly invoked: number;
  /** Moment of the final answer; infinite while there is none. */
  completed: number;
  outcome: Outcome;
  /** Reads: the write that was seen. */
  observed: WriteNumber;
  /** ok writes: mod revision; other answers: revision of the state that was judged. 0 when unknown. */
  revision: Revision | 0;
  zxid: Zxid | 0;
}

/** A command with more of an answer than that it happened, and everything that its client was told. */
export interface ClientCall {
  readonly command: Command;
  readonly client: number;
  /** 0: it has no identity. */
  readonly request: number;
  readonly invoked: number;
  completed: number;
  /** True time at which the attempt that was answered was sent. */
  sentMs: number;
  /** Undefined while the outcome is not known. */
  result: CommandResult | undefined;
  /** Told that nothing happened, and given up. */
  refused: boolean;
}

export class ClientHistory {
  readonly operations: ClientOperation[] = [];
  readonly calls: ClientCall[] = [];
  private moment = 0;
  private lastWrite = 0;

  invoke(given: Pick<ClientOperation, 'kind' | 'key' | 'client' | 'request' | 'expected'>): ClientOperation {
    const writes = given.kind === 'add' || given.kind === 'set' || given.kind === 'setIf';
    if (writes) this.lastWrite += 1;
    const { kind, key, client, request, expected } = given;
    // Spelled out: a copy by spreading takes much longer.
    const operation: ClientOperation = {
      kind,
      key,
      client,
      request,
      expected,
      write: writes ? this.lastWrite : absent,
      invoked: this.nextMoment(),
      completed: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      observed: absent,
      revision: 0,
      zxid: 0,
    };
    this.operations.push(operation);
    return operation;
  }

  complete(operation: ClientOperation, outcome: Exclude<Outcome, 'unknown'>): void {
    operation.completed = this.nextMoment();
    operation.outcome = outcome;
  }

  call(command: Command, client: number, request: number): ClientCall {
    const call: ClientCall = {
      command,
      client,
      request,
      invoked: this.nextMoment(),
      completed: Number.POSITIVE_INFINITY,
      sentMs: 0,
      result: undefined,
      refused: false,
    };
    this.calls.push(call);
    return call;
  }

  answered(call: ClientCall, result: CommandResult): void {
    call.completed = this.nextMoment();
    call.result = result;
  }

  /** Number for another write, whose value names it. */
  nextWrite(): WriteNumber {
    this.lastWrite += 1;
    return this.lastWrite;
  }

  /** The last moment at which something was told. */
  get now(): number {
    return this.moment;
  }

  private nextMoment(): number {
    this.moment += 1;
    return this.moment;
  }
}

export function describeOperation(operation: ClientOperation): string {
  const { kind, key, client, request, write, expected, outcome, observed, revision, invoked, completed } = operation;
  const condition = kind === 'setIf' || kind === 'deleteIf' ? ` if write ${expected}` : '';
  const result = kind === 'read' ? `saw write ${observed}` : outcome;
  return `client ${client}.${request} ${kind} ${JSON.stringify(key)}${write > 0 ? ` as write ${write}` : ''}${condition} → ${result} at revision ${revision} [${invoked}, ${completed}]`;
}

export function describeCall({ command, client, request, result, invoked, completed }: ClientCall): string {
  const asked = JSON.stringify(command, (_, value: unknown) =>
    value instanceof Uint8Array ? keyText(value) : typeof value === 'bigint' ? `${value}` : value,
  );
  const told = result === undefined ? 'unknown' : `${result.code} at ${result.revision}, zxid ${result.zxid}`;
  return `client ${client}.${request} ${asked} → ${told} [${invoked}, ${completed}]`;
}
