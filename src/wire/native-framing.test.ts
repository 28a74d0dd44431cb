import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePreface, encodePreface, FrameSplitter, FrameTooLargeError, frameOf } from './native-framing.js';
import { WireError } from './protobuf/wire-error.js';

function framesOf(splitter: FrameSplitter): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let body = splitter.next(); body !== undefined; body = splitter.next()) frames.push(body.slice());
  return frames;
}

describe('preface', () => {
  it('tells its version and no other protocol begins like it', () => {
    const preface = encodePreface(0x1234);
    expect([...preface]).toEqual([0xfa, 0x5a, 0x41, 0x42, 0x12, 0x34, 0, 0]);
    expect(decodePreface(preface)).toBe(0x1234);
  });

  it('is refused when a byte of the magic differs or one is missing', () => {
    const preface = encodePreface();
    for (let index = 0; index < 4; index++) {
      const broken = preface.slice();
      broken[index] = 0x20;
      expect(() => decodePreface(broken)).toThrow(WireError);
    }
    expect(() => decodePreface(preface.subarray(0, 7))).toThrow(WireError);
  });
});

describe('FrameSplitter', () => {
  it('gives the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 50 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map((body) => frameOf(body)));
          const splitter = new FrameSplitter(1000);
          const seen: Uint8Array[] = [];
          for (let at = 0, cut = 0; at < stream.length; cut++) {
            const length = cuts[cut % cuts.length] ?? 1;
            splitter.push(Uint8Array.from(stream.subarray(at, at + length)));
            at += length;
            seen.push(...framesOf(splitter));
            const next = bodies[seen.length];
            expect(splitter.awaitedBytes).toBe(splitter.pendingBytes < 4 || next === undefined ? 0 : 4 + next.length);
            if (length % 2 === 0) splitter.makeRoom();
          }
          expect(seen.map((body) => [...body])).toEqual(bodies.map((body) => [...body]));
          expect(splitter.pendingBytes).toBe(0);
        },
      ),
    );
  });

  it('leaves frames that it gave out as they are while more arrives', () => {
    const splitter = new FrameSplitter(100);
    splitter.push(Uint8Array.from([...frameOf(Uint8Array.of(1, 2, 3)), 0, 0]));
    const first = splitter.next();
    splitter.push(Uint8Array.of(0, 2, 9));
    splitter.push(Uint8Array.of(8));
    expect([...(splitter.next() ?? [])]).toEqual([9, 8]);
    expect([...(first ?? [])]).toEqual([1, 2, 3]);
  });

  it('refuses a length past the limit as soon as the length is there', () => {
    const splitter = new FrameSplitter(1000);
    splitter.push(Uint8Array.of(0xff, 0xff, 0xff));
    expect(splitter.next()).toBeUndefined();
    splitter.push(Uint8Array.of(0xff));
    expect(() => splitter.next()).toThrow(FrameTooLargeError);
    expect(() => splitter.next()).toThrow('Cannot take a frame of 4294967295 bytes: the limit is 1000');
  });

  it('keeps at most twice what is pending, whatever the pieces', () => {
    const splitter = new FrameSplitter(100_000);
    const frame = frameOf(new Uint8Array(50_000).fill(7));
    for (const byte of frame.subarray(0, 50_000)) splitter.push(Uint8Array.of(byte));
    expect(splitter.next()).toBeUndefined();
    expect(splitter.pendingBytes).toBe(50_000);
    splitter.push(frame.subarray(50_000));
    expect(splitter.next()?.length).toBe(50_000);
  });
});
