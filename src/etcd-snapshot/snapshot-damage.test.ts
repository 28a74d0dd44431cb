import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  contentOf,
  emptyContent,
  inMemory,
  putVersion,
  readEverything,
  snapshotFile,
} from '../../test/support/snapshot-files.js';
import type { Revision } from '../shared/ids.js';
import { encodeMetaPage, pageFlags, writePageHeader, writtenPageBytes } from './bolt-format.js';
import type { SnapshotFileBytes } from './bolt-reader.js';
import { SnapshotFileError } from './snapshot-file-error.js';
import { SnapshotReader } from './snapshot-reader.js';

const sound = snapshotFile(
  contentOf({
    ...emptyContent,
    facts: { ...emptyContent.facts, compactedRevision: 2 as Revision },
    versions: [
      ...Array.from({ length: 100 }, (_, index) => putVersion(`key ${index}`, 'v'.repeat(100), index + 2)),
      putVersion('large', 'x'.repeat(20_000), 400),
    ],
    leases: [{ id: 5n, ttlSeconds: 60, remainingSeconds: 0 }],
    alarms: [{ member: 1n, type: 1 }],
    users: [{ name: 'root', passwordHash: Buffer.from('hash'), roles: ['root'], noPassword: false }],
    roles: [{ name: 'root', permissions: [{ type: 'read', key: Buffer.from('a'), rangeEnd: Buffer.from('b') }] }],
  }),
);
const checksumBytes = 32;
const withoutChecksum = sound.subarray(0, sound.length - checksumBytes);

/** The error of a whole reading, null when there is none. Anything but a SnapshotFileError goes through. */
function errorOf(bytes: Buffer, options: { readonly verify: boolean }): SnapshotFileError | null {
  try {
    const reader = new SnapshotReader(inMemory(bytes));
    if (options.verify) reader.verifyChecksum();
    readEverything(reader);
    return null;
  } catch (error) {
    if (error instanceof SnapshotFileError) return error;
    throw error;
  }
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}

/** A database of these pages behind the two metas and the list of free pages. */
function database(root: number, pages: readonly Buffer[]): Buffer {
  const size = { pageBytes: writtenPageBytes, root, pageCount: 3 + pages.length, transaction: 1 };
  const freelist = Buffer.alloc(writtenPageBytes);
  writePageHeader(freelist, { id: 2, flags: pageFlags.freelist, count: 0, overflow: 0 });
  return Buffer.concat([encodeMetaPage(0, size, 2), encodeMetaPage(1, size, 2), freelist, ...pages]);
}

function branch(id: number, children: readonly number[]): Buffer {
  const page = Buffer.alloc(writtenPageBytes);
  writePageHeader(page, { id, flags: pageFlags.branch, count: children.length, overflow: 0 });
  children.forEach((child, index) => {
    page.writeBigUInt64LE(BigInt(child), 16 + index * 16 + 8);
  });
  return page;
}

function leaf(id: number, keys: readonly string[]): Buffer {
  const page = Buffer.alloc(writtenPageBytes);
  writePageHeader(page, { id, flags: pageFlags.leaf, count: keys.length, overflow: 0 });
  let position = 16 + keys.length * 16;
  keys.forEach((key, index) => {
    const at = 16 + index * 16;
    page.writeUInt32LE(position - at, at + 4);
    page.writeUInt32LE(key.length, at + 8);
    position += page.write(key, position);
  });
  return page;
}

describe('a damaged snapshot', () => {
  it('is sound before it is damaged', () => {
    expect(errorOf(sound, { verify: true })).toBeNull();
  });

  it('with any bit of it flipped is refused', () => {
    const flips = fc.integer({ min: 0, max: sound.length * 8 - 1 });
    fc.assert(
      fc.property(flips, (bit) => {
        expect(errorOf(flipped(sound, bit), { verify: true })).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  it('with a page of it overwritten is refused', () => {
    for (let page = 0; (page + 1) * writtenPageBytes <= withoutChecksum.length; page++) {
      const copy = Buffer.from(sound);
      copy.fill(0xff, page * writtenPageBytes, (page + 1) * writtenPageBytes);
      expect(errorOf(copy, { verify: true })?.message).toMatch(/its checksum does not match|page|bbolt|bucket/);
    }
  });

  it('cut short anywhere is refused', () => {
    const lengths = fc.integer({ min: 0, max: sound.length - 1 });
    fc.assert(
      fc.property(lengths, (length) => {
        expect(errorOf(sound.subarray(0, length), { verify: true })).not.toBeNull();
      }),
      { numRuns: 300 },
    );
    for (let page = 0; page * writtenPageBytes < withoutChecksum.length; page++) {
      const cut = sound.subarray(0, page * writtenPageBytes);
      expect(errorOf(cut, { verify: true })).not.toBeNull();
      expect(errorOf(cut, { verify: false })).not.toBeNull();
    }
  });

  it('whose checksum nobody looks at ends in rows or in a clear error', () => {
    const heads = Array.from(
      { length: withoutChecksum.length / writtenPageBytes },
      (_, page) => page * writtenPageBytes,
    );
    // The beginnings of pages are where a bit decides most.
    for (const head of heads) {
      for (let bit = 0; bit < 20 * 8; bit++) errorOf(flipped(withoutChecksum, head * 8 + bit), { verify: false });
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: withoutChecksum.length * 8 - 1 }), (bit) => {
        errorOf(flipped(withoutChecksum, bit), { verify: false });
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
        expect(errorOf(Buffer.from(bytes), { verify: false })).not.toBeNull();
      }),
    );
  });

  it('is read by its other meta page when one is damaged', () => {
    for (const page of [0, 1]) {
      const copy = Buffer.from(withoutChecksum);
      copy.fill(0, page * writtenPageBytes, (page + 1) * writtenPageBytes);
      expect(errorOf(copy, { verify: false })).toBeNull();
    }
  });
});

describe('a hostile database', () => {
  const refusals: readonly (readonly [what: string, bytes: Buffer, error: RegExp])[] = [
    ['nothing', Buffer.alloc(0), /it is no bbolt database/],
    ['a root that is a meta page', database(1, []), /has number 1, expected 2\.\./],
    ['a root behind the end', database(9, [leaf(3, ['a'])]), /has number 9/],
    ['a root that is the list of free pages', database(2, []), /page 2 is neither leaf nor branch/],
    ['a page that says it is another', database(3, [leaf(4, ['a'])]), /page 3 says that it is page 4/],
    ['a branch that names itself', database(3, [branch(3, [3])]), /more than 40 levels/],
    ['branches that name each other', database(3, [branch(3, [4, 4]), branch(4, [3, 3])]), /more than 40 levels/],
    ['an empty leaf below a branch', database(3, [branch(3, [4]), leaf(4, [])]), /a page in it is empty/],
    ['a leaf that two branches share', database(3, [branch(3, [4, 4]), leaf(4, ['a'])]), /keys are out of order/],
    ['keys in the wrong order', database(3, [leaf(3, ['b', 'a'])]), /keys are out of order/],
    ['another database than etcd keeps', database(3, [leaf(3, ['a'])]), /no bucket "key"/],
  ];

  it.each(refusals)('with %s is refused', (_what, bytes, error) => {
    expect(errorOf(bytes, { verify: false })?.message).toMatch(error);
  });

  it('that shares a page a million million times over is refused at once', () => {
    const levels = Array.from({ length: 30 }, (_, index) => branch(3 + index, [4 + index, 4 + index]));
    expect(errorOf(database(3, [...levels, leaf(33, ['a'])]), { verify: false })?.message).toMatch(/out of order/);
  });

  it('with a page larger than any server takes is refused before memory is taken for it', () => {
    const pageCount = 2 ** 20;
    const page = Buffer.alloc(writtenPageBytes);
    writePageHeader(page, { id: 3, flags: pageFlags.leaf, count: 1, overflow: 2 ** 19 });
    const meta = encodeMetaPage(0, { pageBytes: writtenPageBytes, root: 3, pageCount, transaction: 1 }, 2);
    const sparse: SnapshotFileBytes = {
      size: pageCount * writtenPageBytes,
      read: (target, offset) => {
        expect(target.length).toBeLessThanOrEqual(writtenPageBytes);
        target.fill(0);
        if (offset === 0) meta.copy(target);
        if (offset === 3 * writtenPageBytes) page.copy(target);
      },
    };
    expect(() => new SnapshotReader(sparse)).toThrow(/page 3 has 2147487744 bytes, more than 67108864/);
  });
});
