// A batch of entries ↔ the bytes that are both the body of a log record and of a PROPOSAL (protocol/log.proto). The
// encoder measures first and writes once into exactly that much memory, byte-equal to protobufjs. The decoder refuses
// whatever it does not know: a node that skipped an operation would silently differ from the others.

import { assert, InvariantError } from '../shared/assert.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { type ClientId, counterMax, counterOf, type Revision, type Zxid } from '../shared/ids.js';
import type { Entry, Operation, SpaceId } from '../tree/delta.js';
import { knownResultCode, resultCodeNumber } from './command-codec.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { bytesFieldSize, varintFieldSize, varintSize } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';
import { replicatedSpace } from './replicated-spaces.js';

/** Field numbers of zabtree.log.Operation. */
const operationFields: Readonly<Record<Operation['type'], number>> = {
  put: 1,
  delete: 2,
  deleteRange: 3,
  compactTo: 4,
  remember: 5,
  checkpoint: 6,
};

function lengthPrefixedSize(size: number): number {
  return 1 + varintSize(size) + size;
}

function operationSize(operation: Operation): number {
  switch (operation.type) {
    case 'put':
      return (
        varintFieldSize(operation.space) +
        bytesFieldSize(operation.key.length) +
        bytesFieldSize(operation.value.length) +
        varintFieldSize(operation.createRevision) +
        varintFieldSize(operation.version) +
        (operation.lease === 0n ? 0 : 9)
      );
    case 'delete':
      return varintFieldSize(operation.space) + bytesFieldSize(operation.key.length);
    case 'deleteRange':
      return (
        varintFieldSize(operation.space) + bytesFieldSize(operation.from.length) + bytesFieldSize(operation.to.length)
      );
    case 'compactTo':
      return varintFieldSize(operation.revision);
    case 'remember':
      return (
        varintFieldSize(operation.client) +
        varintFieldSize(operation.request) +
        varintFieldSize(operation.acknowledgedBelow) +
        varintFieldSize(resultCodeNumber(operation.code))
      );
    case 'checkpoint':
      return 0;
  }
}

/** Apart from its callers, so that they build no text when all is well. */
function refuseNumber(value: number): never {
  throw new InvariantError(`Cannot encode ${value}: expected a safe integer >= 0`);
}

/** Writes a safe integer >= 0 and returns the position behind it. */
function writeVarint(target: Bytes, at: number, value: number): number {
  if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) refuseNumber(value);
  let position = at;
  let rest = value;
  while (rest >= 0x80000000) {
    target[position++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest > 0x7f) {
    target[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[position++] = rest;
  return position;
}

function writeUintField(target: Bytes, at: number, field: number, value: number): number {
  if (value === 0) return at;
  target[at] = field << 3;
  return writeVarint(target, at + 1, value);
}

function writeLengthHeader(target: Bytes, at: number, field: number, length: number): number {
  target[at] = (field << 3) | 2;
  return writeVarint(target, at + 1, length);
}

function writeBytesField(target: Bytes, at: number, field: number, value: Bytes): number {
  if (value.length === 0) return at;
  const start = writeLengthHeader(target, at, field, value.length);
  target.set(value, start);
  return start + value.length;
}

function writeLease(target: Bytes, at: number, lease: bigint): number {
  if (lease === 0n) return at;
  target[at] = (6 << 3) | 1;
  new DataView(target.buffer, target.byteOffset + at + 1, 8).setBigInt64(0, lease, true);
  return at + 9;
}

function writeOperation(target: Bytes, at: number, operation: Operation): number {
  let position = at;
  switch (operation.type) {
    case 'put':
      position = writeUintField(target, position, 1, operation.space);
      position = writeBytesField(target, position, 2, operation.key);
      position = writeBytesField(target, position, 3, operation.value);
      position = writeUintField(target, position, 4, operation.createRevision);
      position = writeUintField(target, position, 5, operation.version);
      return writeLease(target, position, operation.lease);
    case 'delete':
      position = writeUintField(target, position, 1, operation.space);
      return writeBytesField(target, position, 2, operation.key);
    case 'deleteRange':
      position = writeUintField(target, position, 1, operation.space);
      position = writeBytesField(target, position, 2, operation.from);
      return writeBytesField(target, position, 3, operation.to);
    case 'compactTo':
      return writeUintField(target, position, 1, operation.revision);
    case 'remember':
      position = writeUintField(target, position, 1, operation.client);
      position = writeUintField(target, position, 2, operation.request);
      position = writeUintField(target, position, 3, operation.acknowledgedBelow);
      return writeUintField(target, position, 4, resultCodeNumber(operation.code));
    case 'checkpoint':
      return position;
  }
}

/**
 * Body of the batch whose entries have the zxids first, first + 1, …: at least one entry. The memory is the body's own.
 */
export function encodeBatch(first: Zxid, entries: readonly Entry[]): Bytes {
  assert(entries.length > 0, 'Cannot encode a batch without entries');
  // Sizes in the order in which they are written: of each entry, then of its operations.
  const sizes: number[] = [];
  let total = varintFieldSize(first) + varintFieldSize(entries.length);
  let expected: number = first;
  for (const entry of entries) {
    assert(entry.zxid === expected, 'Cannot encode a batch: its zxids do not follow one by one');
    expected++;
    const slot = sizes.push(0) - 1;
    let entrySize = varintFieldSize(entry.revision);
    for (const operation of entry.operations) {
      const size = operationSize(operation);
      sizes.push(size);
      entrySize += lengthPrefixedSize(lengthPrefixedSize(size));
    }
    sizes[slot] = entrySize;
    total += lengthPrefixedSize(entrySize);
  }
  const body = new Uint8Array(total);
  let position = writeUintField(body, 0, 1, first);
  position = writeUintField(body, position, 2, entries.length);
  let next = 0;
  for (const entry of entries) {
    position = writeLengthHeader(body, position, 3, sizes[next++] as number);
    position = writeUintField(body, position, 1, entry.revision);
    for (const operation of entry.operations) {
      const size = sizes[next++] as number;
      position = writeLengthHeader(body, position, 2, lengthPrefixedSize(size));
      position = writeLengthHeader(body, position, operationFields[operation.type], size);
      position = writeOperation(body, position, operation);
    }
  }
  assert(position === total, `Encoded ${position} bytes of a batch measured as ${total}`);
  return body;
}

/**
 * Entries of a body; throws WireError unless it is whole, known in every field, and begins at `first`. Keys and values
 * share the body's memory.
 */
export function decodeBatch(body: Bytes, first: Zxid): Entry[] {
  const reader = new ProtoReader(body);
  const entries: Entry[] = [];
  let told = 0;
  let count = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    switch (field) {
      case 1:
        told = reader.varint();
        break;
      case 2:
        count = reader.varint();
        break;
      case 3: {
        if (entries.length >= count) throw new WireError(`Cannot decode a batch: more entries than its count ${count}`);
        const outer = reader.enterMessage();
        entries.push(readEntry(reader, (first + entries.length) as Zxid));
        reader.leaveMessage(outer);
        break;
      }
      default:
        throw unknownField('a batch', field);
    }
  }
  if (told !== first) throw new WireError(`Cannot decode a batch: it begins at zxid ${told}, expected ${first}`);
  if (count === 0 || entries.length !== count) {
    throw new WireError(`Cannot decode a batch: ${entries.length} entries, its count is ${count}`);
  }
  if (counterOf(first) + count - 1 > counterMax)
    throw new WireError('Cannot decode a batch: it reaches past its epoch');
  return entries;
}

function unknownField(what: string, field: number): WireError {
  return new WireError(`Cannot decode ${what}: field ${field} is not known to this version`);
}

function readEntry(reader: ProtoReader, zxid: Zxid): Entry {
  let revision = 0;
  let operations: Operation[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) {
      revision = reader.varint();
    } else if (field === 2) {
      const outer = reader.enterMessage();
      const operation = readOperation(reader);
      // Of one element, as most are, it takes no room to grow.
      if (operations.length === 0) operations = [operation];
      else operations.push(operation);
      reader.leaveMessage(outer);
    } else {
      throw unknownField('an entry', field);
    }
  }
  return { zxid, revision: revision as Revision, operations };
}

function readOperation(reader: ProtoReader): Operation {
  const type = reader.nextField();
  if (type === 0) throw new WireError('Cannot decode an operation: it is empty');
  const outer = reader.enterMessage();
  let operation: Operation;
  switch (type) {
    case 1:
      operation = readPut(reader);
      break;
    case 2:
    case 3:
      operation = readDelete(reader, type);
      break;
    case 4:
    case 5:
    case 6:
      operation = readBookkeeping(reader, type);
      break;
    default:
      throw new WireError(`Cannot decode an operation: type ${type} is not known to this version`);
  }
  reader.leaveMessage(outer);
  if (reader.nextField() !== 0) throw new WireError('Cannot decode an operation: more than one in its place');
  return operation;
}

function toSpace(number: number): SpaceId {
  const space = replicatedSpace(number);
  if (space === undefined) throw new WireError(`Cannot decode an operation: space ${number} is not replicated`);
  return space;
}

function readPut(reader: ProtoReader): Operation {
  let space = 0;
  let key = emptyBytes;
  let value = emptyBytes;
  let createRevision = 0;
  let version = 0;
  let lease = 0n;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    switch (field) {
      case 1:
        space = reader.varint();
        break;
      case 2:
        key = reader.bytesView();
        break;
      case 3:
        value = reader.bytesView();
        break;
      case 4:
        createRevision = reader.varint();
        break;
      case 5:
        version = reader.varint();
        break;
      case 6:
        lease = reader.sfixed64();
        break;
      default:
        throw unknownField('a put', field);
    }
  }
  return { type: 'put', space: toSpace(space), key, value, createRevision: createRevision as Revision, version, lease };
}

function readDelete(reader: ProtoReader, type: 2 | 3): Operation {
  let space = 0;
  let from = emptyBytes;
  let to = emptyBytes;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) space = reader.varint();
    else if (field === 2) from = reader.bytesView();
    else if (field === 3 && type === 3) to = reader.bytesView();
    else throw unknownField('a delete', field);
  }
  if (type === 2) return { type: 'delete', space: toSpace(space), key: from };
  return { type: 'deleteRange', space: toSpace(space), from, to };
}

function readBookkeeping(reader: ProtoReader, type: 4 | 5 | 6): Operation {
  const fieldMax = type === 4 ? 1 : type === 5 ? 4 : 0;
  const values: [number, number, number, number] = [0, 0, 0, 0];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field > fieldMax) throw unknownField(`operation ${type}`, field);
    values[field - 1] = reader.varint();
  }
  const [one, two, three, four] = values;
  if (type === 4) return { type: 'compactTo', revision: one as Revision };
  if (type === 6) return { type: 'checkpoint' };
  if (one === 0) throw new WireError('Cannot decode a remembered request: its client is 0');
  const code = knownResultCode(four);
  if (code === undefined) throw new WireError(`Cannot decode a remembered request: its code ${four} is not known here`);
  return { type: 'remember', client: one as ClientId, request: two, acknowledgedBelow: three, code };
}
