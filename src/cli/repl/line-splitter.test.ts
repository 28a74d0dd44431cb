// Lines come out as they were written, however the stream was cut, and one that is too long costs only itself.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, notText, type SplitLine, tooLong } from './line-splitter.js';

function splitInChunks(bytes: Buffer, chunkBytes: number, lineBytesMax: number): SplitLine[] {
  const splitter = new LineSplitter(lineBytesMax);
  const lines: SplitLine[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes)
    lines.push(...splitter.push(bytes.subarray(at, at + chunkBytes)));
  return [...lines, ...splitter.end()];
}

describe('LineSplitter', () => {
  it('gives every line once, wherever the stream is cut, also inside a character', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''));
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 9 }), (lines, chunkBytes) => {
        const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        expect(splitInChunks(bytes, chunkBytes, 10_000)).toEqual(lines.map((text) => Buffer.from(text).toString()));
      }),
    );
  });

  it('takes the ends of lines of other systems, and a last line without one', () => {
    expect(splitInChunks(Buffer.from('a\r\n\r\nb\rc\nlast'), 3, 100)).toEqual(['a', '', 'b\rc', 'last']);
  });

  it('drops a line that is no UTF-8, wherever it is cut', () => {
    const bytes = Buffer.from('a\u00e9\n\xe9\n\nz', 'latin1');
    const lines = Buffer.concat([Buffer.from('\u00e9\ufffd\n'), bytes]);
    for (const chunkBytes of [1, 2, 100]) {
      expect(splitInChunks(lines, chunkBytes, 100)).toEqual(['\u00e9\ufffd', notText, notText, '', 'z']);
    }
  });

  it('drops a line above the limit and goes on with the next', () => {
    const limit = 10;
    const text = `${'x'.repeat(limit)}\n${'y'.repeat(limit + 1)}\nz\n${'w'.repeat(100 * limit)}`;
    for (const chunkBytes of [1, 7, 5_000]) {
      expect(splitInChunks(Buffer.from(text), chunkBytes, limit)).toEqual(['x'.repeat(limit), tooLong, 'z', tooLong]);
    }
  });
});
