import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchOf, zxid } from '../../test/support/log-harness.js';
import {
  beginRecordHeader,
  bodyMatches,
  chainOfHeader,
  decodeRecordHeader,
  paddingAfter,
  recordBytes,
  recordHeaderBytes,
  sealRecordHeader,
} from './log-record.js';

const place = { position: 2 ** 40 + 64, durablePosition: 2 ** 40, salt: 0xfeedbeef };

describe('a record header', () => {
  it('is decoded as it was written, with zxids and positions past 32 bits', () => {
    const batch = batchOf(2 ** 21 - 1, 2 ** 32 - 10, { entries: 5, bytes: 99 });
    const header = beginRecordHeader(batch, 123);
    sealRecordHeader(header, place);
    expect(decodeRecordHeader(header, place.salt)).toEqual({
      bodyBytes: 99,
      chain: chainOfHeader(header),
      previousChain: 123,
      first: batch.first,
      last: batch.last,
      position: place.position,
      durablePosition: place.durablePosition,
    });
    expect(bodyMatches(header, batch.body)).toBe(true);
  });

  it('is refused with any bit changed, and under another salt', () => {
    const header = beginRecordHeader(batchOf(1, 1), 0);
    sealRecordHeader(header, place);
    for (let bit = 0; bit < recordHeaderBytes * 8; bit++) {
      const changed = Buffer.from(header);
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(decodeRecordHeader(changed, place.salt)).toBeNull();
    }
    expect(decodeRecordHeader(header, place.salt + 1)).toBeNull();
    expect(decodeRecordHeader(Buffer.alloc(recordHeaderBytes), 0)).toBeNull();
  });

  it('carries a chain that depends on zxids, body and predecessor, and on nothing local', () => {
    const chain = chainOfHeader(beginRecordHeader(batchOf(1, 1, { bytes: 10 }), 7));
    const moved = beginRecordHeader(batchOf(1, 1, { bytes: 10 }), 7);
    sealRecordHeader(moved, { position: 5, durablePosition: 1, salt: 9 });
    expect(chainOfHeader(moved)).toBe(chain);
    expect(chainOfHeader(beginRecordHeader(batchOf(1, 1, { bytes: 10 }), 8))).not.toBe(chain);
    expect(chainOfHeader(beginRecordHeader({ ...batchOf(1, 1, { bytes: 10 }), last: zxid(1, 2) }, 7))).not.toBe(chain);
  });

  it('begins at a multiple of eight behind any body', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 24), (bodyBytes) => {
        expect(recordBytes(bodyBytes) % 8).toBe(0);
        expect(recordBytes(bodyBytes)).toBe(
          recordHeaderBytes + bodyBytes + paddingAfter(recordHeaderBytes + bodyBytes),
        );
        expect(paddingAfter(bodyBytes)).toBeLessThan(8);
      }),
    );
  });
});
