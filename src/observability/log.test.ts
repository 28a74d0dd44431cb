// Lines go to the stream given, in the format asked for, and disabled levels write nothing.

import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLog, type LogOptions } from './log.js';

function linesOf(options: Omit<LogOptions, 'stream'>, write: (log: ReturnType<typeof createLog>) => void): string[] {
  const stream = new PassThrough();
  write(createLog({ ...options, stream }));
  const bytes = stream.read() as Buffer | null;
  return bytes === null ? [] : bytes.toString('utf8').trimEnd().split('\n');
}

describe('createLog()', () => {
  it('writes one text line an entry with its details', () => {
    const [line, ...rest] = linesOf({ level: 'info', format: 'text' }, (log) =>
      log.with({ node: 7 }).info('Elected a leader', { epoch: 3, reason: 'two words', error: new Error('boom') }),
    );
    expect(rest).toEqual([]);
    expect(line).toMatch(
      /^\d{4}-\d\d-\d\dT\S+Z info {2}Elected a leader node=7 epoch=3 reason="two words" error="Error: boom/,
    );
  });

  it('writes JSON', () => {
    const [line] = linesOf({ level: 'info', format: 'json' }, (log) => log.warn('Disk is slow', { ms: 12, lease: 5n }));
    expect(JSON.parse(line ?? '')).toMatchObject({ level: 'warn', text: 'Disk is slow', ms: 12, lease: '5' });
  });

  it('writes nothing below its level', () => {
    const lines = linesOf({ level: 'warn', format: 'text' }, (log) => {
      log.info('no');
      log.debug('no');
      log.warn('yes');
      expect(log.enabled('info')).toBe(false);
      expect(log.enabled('error')).toBe(true);
    });
    expect(lines).toHaveLength(1);
  });
});
