// Changes valid bytes into hostile ones: bits, bytes, slices, lengths, and fields of protobuf messages with all lengths
// around them kept right. What it makes depends on its seed and the inputs alone, so that a failure is repeated by its
// numbers.

import { SeededRandom } from '../../src/shared/random.js';
import { isMessage, type ProtoField, parseProto, serializeProto, varintBytes } from './proto-shape.js';

/** Changes made to one input: most get one, each further one is had by a third. */
const changesMax = 6;
const furtherChange = 1 / 3;
/** Bytes of anything it makes, at most: inputs grow by duplication. */
export const mutatedBytesMax = 64 * 2 ** 10;
/** Longest run that is inserted, doubled or overwritten. */
const runBytesMax = 64;

/** Numbers at the edges of what lengths and ids are stored in. */
const edges: readonly bigint[] = [
  0n,
  1n,
  127n,
  128n,
  255n,
  256n,
  2n ** 14n - 1n,
  2n ** 14n,
  2n ** 16n,
  2n ** 21n - 1n,
  2n ** 21n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** Varints that no encoder writes: ten bytes with a tenth too large, eleven bytes, zeros that go on. */
const badVarints: readonly Uint8Array[] = [
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00),
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x00),
  Uint8Array.of(0x80),
];

export class Mutator {
  private readonly random: SeededRandom;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  /** One of the inputs, changed at least once. */
  next(inputs: readonly Uint8Array[]): Uint8Array {
    let bytes = this.pick(inputs);
    for (let change = 0; change < changesMax; change++) {
      if (change > 0 && !this.random.chance(furtherChange)) break;
      bytes = this.change(bytes, inputs).subarray(0, mutatedBytesMax);
    }
    return bytes.slice();
  }

  /** The input in pieces: one, many of a byte, or a few of any length. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const style = this.random.below(4);
    if (style === 0 || bytes.length === 0) return [bytes];
    const pieceBytesMax = style === 1 ? 1 : 1 + this.random.below(bytes.length);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = 1 + this.random.below(pieceBytesMax);
      pieces.push(bytes.slice(at, at + length));
      at += length;
    }
    return pieces;
  }

  below(bound: number): number {
    return this.random.below(bound);
  }

  private change(bytes: Uint8Array, inputs: readonly Uint8Array[]): Uint8Array {
    const { random } = this;
    if (bytes.length === 0) return this.randomRun();
    switch (random.below(20)) {
      case 0:
        return this.at(bytes, (byte) => byte ^ (1 << random.below(8)));
      case 1:
        return this.at(bytes, () => random.below(256));
      case 2:
        return this.at(bytes, (byte) => (byte + (random.chance(0.5) ? 1 : 255)) & 0xff);
      case 3:
        return this.replaced(bytes, 0, this.randomRun());
      case 4:
        return this.replaced(bytes, 1 + random.below(runBytesMax), new Uint8Array(0));
      case 5: {
        const from = random.below(bytes.length);
        return this.replaced(bytes, 0, bytes.subarray(from, from + 1 + random.below(runBytesMax)));
      }
      case 6:
        return this.spliced(bytes, this.pick(inputs));
      case 7:
        return bytes.subarray(0, random.below(bytes.length));
      case 8:
        return this.replaced(bytes, 1, this.hostileVarint());
      case 9:
        return this.replaced(bytes, 4, this.fixedNumber(4));
      case 10:
        return this.replaced(bytes, 8, this.fixedNumber(8));
      default:
        return this.changedField(bytes, inputs);
    }
  }

  /** A change inside the tree of fields, or to the bytes when they are no message. */
  private changedField(bytes: Uint8Array, inputs: readonly Uint8Array[]): Uint8Array {
    const fields = parseProto(bytes);
    if (fields === undefined || fields.length === 0) return this.at(bytes, () => this.random.below(256));
    return serializeProto(this.changedFields(fields, inputs));
  }

  private changedFields(fields: readonly ProtoField[], inputs: readonly Uint8Array[]): readonly ProtoField[] {
    const { random } = this;
    const index = random.below(fields.length);
    const field = fields[index];
    if (field === undefined) return fields;
    if (isMessage(field.value) && field.value.length > 0 && random.chance(0.7)) {
      return fields.with(index, { ...field, value: this.changedFields(field.value, inputs) });
    }
    switch (random.below(6)) {
      case 0:
        return fields.toSpliced(index, 1);
      case 1:
        return fields.toSpliced(random.below(fields.length + 1), 0, field);
      case 2:
        return fields.with(index, { ...field, tag: ((1 + random.below(20)) << 3) | (field.tag & 7) });
      case 3:
        return [...fields.slice(index), ...fields.slice(0, index)];
      case 4:
        return fields.with(index, { ...field, tag: (field.tag & ~7) | random.below(8) });
      default:
        return fields.with(index, { ...field, value: this.changedValue(field, inputs) });
    }
  }

  private changedValue(field: ProtoField, inputs: readonly Uint8Array[]): ProtoField['value'] {
    switch (field.tag & 7) {
      case 0:
        return this.hostileVarint();
      case 1:
        return this.fixedNumber(8);
      case 5:
        return this.fixedNumber(4);
      default: {
        const body = isMessage(field.value) ? serializeProto(field.value) : field.value;
        if (this.random.chance(0.2)) return this.pick(inputs);
        return this.random.chance(0.5) ? this.randomRun() : this.at(body, () => this.random.below(256));
      }
    }
  }

  private hostileVarint(): Uint8Array {
    if (this.random.chance(0.15)) return this.pick(badVarints);
    return varintBytes(this.pick(edges));
  }

  private fixedNumber(byteLength: 4 | 8): Uint8Array {
    const bytes = new Uint8Array(8);
    const little = this.random.chance(0.5);
    new DataView(bytes.buffer).setBigUint64(0, this.pick(edges), little);
    return little ? bytes.subarray(0, byteLength) : bytes.subarray(8 - byteLength);
  }

  private at(bytes: Uint8Array, changed: (byte: number) => number): Uint8Array {
    const copy = bytes.slice();
    const index = this.random.below(Math.max(1, copy.length));
    const byte = copy[index];
    if (byte !== undefined) copy[index] = changed(byte);
    return copy;
  }

  /** `length` bytes somewhere give way to others. */
  private replaced(bytes: Uint8Array, length: number, by: Uint8Array): Uint8Array {
    const at = this.random.below(bytes.length + 1);
    return new Uint8Array(Buffer.concat([bytes.subarray(0, at), by, bytes.subarray(at + length)]));
  }

  /** The beginning of one and the end of the other. */
  private spliced(bytes: Uint8Array, other: Uint8Array): Uint8Array {
    const head = bytes.subarray(0, this.random.below(bytes.length + 1));
    const tail = other.subarray(this.random.below(other.length + 1));
    return new Uint8Array(Buffer.concat([head, tail]));
  }

  private randomRun(): Uint8Array {
    return Uint8Array.from({ length: 1 + this.random.below(runBytesMax) }, () => this.random.below(256));
  }

  private pick<T>(from: readonly T[]): T {
    const picked = from[this.random.below(from.length)];
    if (picked === undefined) throw new Error('Cannot mutate: there are no inputs');
    return picked;
  }
}
