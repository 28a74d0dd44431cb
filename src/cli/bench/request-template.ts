// One request frame, made once and then only patched: id, key digits and the head of the value are overwritten in
// place, so that a request costs the load generator one copy. Keys are a prefix and twelve digits.

import type { Zxid } from '../../shared/ids.js';
import type { CommandEnvelope, NativeRequestBody } from '../../wire/native-messages.js';
import { writeRequestFrame } from '../../wire/native-request-codec.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import { utf8Encode } from '../../wire/protobuf/utf8.js';

type RequestIdentity = NonNullable<CommandEnvelope['identity']>;

export type RequestKind = 'set' | 'get' | 'getLocal';

export interface TemplateOptions {
  readonly kind: RequestKind;
  readonly keyPrefix: string;
  /** Bytes of a value; of no meaning for reads. */
  readonly valueBytes: number;
  readonly timeoutMs: number;
  /** Present: writes carry it, with their own request number each. Its numbers are only placeholders. */
  readonly identity?: Pick<RequestIdentity, 'client' | 'bornAt'>;
}

const keyDigits = 12;
const digitZero = 48;
/** Bytes of the frame in front of the id: its length and the tag. */
const idOffset = 5;
const idVarintBytes = 4;
/** A number whose varint has exactly idVarintBytes bytes. */
const idPlaceholder = 2 ** 27;
/** Greatest id that fits into its place. */
export const templateIdMax = 2 ** 28 - 1;
const requestVarintBytes = 8;
const requestPlaceholder = 2 ** 50;
const belowPlaceholder = 2 ** 50 + 1;
/** Digits at the head of a value, so that two writes of one key differ. */
const valueDigits = 15;

export class RequestTemplate {
  readonly byteLength: number;
  private readonly frame: Uint8Array;
  private readonly keyEnd: number;
  /** 0: no value, or too short to be numbered. */
  private readonly valueOffset: number;
  /** 0: no identity. */
  private readonly requestOffset: number;
  private readonly belowOffset: number;

  constructor(options: TemplateOptions) {
    const key = utf8Encode(options.keyPrefix + '0'.repeat(keyDigits));
    const value = new Uint8Array(options.valueBytes).fill(0x76);
    const writer = new ProtoWriter(1024);
    writeRequestFrame(writer, { id: idPlaceholder, timeoutMs: options.timeoutMs, body: bodyOf(options, key, value) });
    this.frame = writer.finish();
    this.byteLength = this.frame.length;
    const bytes = Buffer.from(this.frame.buffer);
    this.keyEnd = bytes.indexOf(key) + key.length;
    const numbered = options.kind === 'set' && options.valueBytes >= valueDigits;
    this.valueOffset = numbered ? bytes.indexOf(value, this.keyEnd) : 0;
    const identified = options.kind === 'set' && options.identity !== undefined;
    this.requestOffset = identified ? bytes.lastIndexOf(varintOf(requestPlaceholder)) : 0;
    this.belowOffset = identified ? bytes.lastIndexOf(varintOf(belowPlaceholder)) : 0;
  }

  /** Copies the frame to `target` at `offset` with this id, key number and number of the value. */
  write(target: Uint8Array, offset: number, id: number, keyNumber: number, valueNumber: number): void {
    target.set(this.frame, offset);
    patchVarint(target, offset + idOffset, idVarintBytes, id);
    patchDigits(target, offset + this.keyEnd, keyDigits, keyNumber);
    if (this.valueOffset > 0) patchDigits(target, offset + this.valueOffset + valueDigits, valueDigits, valueNumber);
  }

  /** After write(): fills in the identity's own numbers. */
  identify(target: Uint8Array, offset: number, request: number, acknowledgedBelow: number): void {
    patchVarint(target, offset + this.requestOffset, requestVarintBytes, request);
    patchVarint(target, offset + this.belowOffset, requestVarintBytes, acknowledgedBelow);
  }
}

function bodyOf(options: TemplateOptions, key: Uint8Array, value: Uint8Array): NativeRequestBody {
  if (options.kind !== 'set') return { type: 'get', key, local: options.kind === 'getLocal', seen: 0 as Zxid };
  const command = { type: 'set', key, value } as const;
  if (options.identity === undefined) return { type: 'write', envelope: { command } };
  const identity = {
    ...options.identity,
    request: requestPlaceholder,
    acknowledgedBelow: belowPlaceholder,
    repeated: false,
  };
  return { type: 'write', envelope: { command, identity } };
}

function varintOf(value: number): Uint8Array {
  const writer = new ProtoWriter(16);
  writer.varint(value);
  return writer.finish();
}

/** Writes a varint of a fixed length, padded with continuation bytes. */
function patchVarint(target: Uint8Array, offset: number, byteLength: number, value: number): void {
  let rest = value;
  for (let index = 0; index < byteLength - 1; index++) {
    target[offset + index] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  target[offset + byteLength - 1] = rest;
}

/** Writes decimal digits that end before `end`. */
function patchDigits(target: Uint8Array, end: number, digits: number, value: number): void {
  let rest = value;
  for (let index = 1; index <= digits; index++) {
    const next = Math.floor(rest / 10);
    target[end - index] = digitZero + (rest - next * 10);
    rest = next;
  }
}
