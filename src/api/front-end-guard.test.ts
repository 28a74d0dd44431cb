import { describe, expect, it } from 'vitest';
import { CoreFailure } from '../shared/core-failure.js';
import { contained, FrontEndGuard } from './front-end-guard.js';

function setup() {
  const lines: unknown[] = [];
  const guard = new FrontEndGuard({ error: (_text, details) => void lines.push(details) });
  return { guard, lines };
}

describe('FrontEndGuard', () => {
  it('counts and tells where it was, and nothing of what a client sent', () => {
    const { guard, lines } = setup();
    guard.caught('grpc', '/test/Method', new RangeError('a secret of the client'));
    guard.caught('native', 'a connection was served', 'a secret of the client');
    expect(guard.counts).toEqual({ port: 0, grpc: 1, http: 0, native: 1 });
    expect(lines).toMatchObject([{ frontEnd: 'grpc', what: '/test/Method', exception: 'RangeError' }, { at: [] }]);
    expect(JSON.stringify(lines)).toContain('front-end-guard.test.ts');
    expect(JSON.stringify(lines)).not.toContain('secret');
  });

  it('tells of a few in a row, and counts all', () => {
    const { guard, lines } = setup();
    for (let count = 0; count < 1_000; count++) guard.caught('http', 'a request was answered', new Error(''));
    expect(guard.counts.http).toBe(1_000);
    expect(lines.length).toBeLessThan(100);
  });

  it('throws again what came out of the core, and counts nothing', () => {
    const { guard, lines } = setup();
    const failure = new CoreFailure(new Error('inside'));
    expect(() => guard.caught('grpc', '/test/Method', failure)).toThrow(failure);
    const callback = contained({ broken: (error) => guard.caught('native', 'it', error) }, () => {
      throw failure;
    });
    expect(callback).toThrow(failure);
    expect([guard.counts.grpc, guard.counts.native, lines.length]).toEqual([0, 0, 0]);
  });
});
