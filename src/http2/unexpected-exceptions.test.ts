// What nobody expected of a handler: the connection is cut off, all its streams learn of that, and nothing is thrown into
// the event loop.

import { expect, it } from 'vitest';
import { data, Http2Bench, okFields, open, type RequestHandlers } from '../../test/support/http2-bench.js';
import { endStream } from '../../test/support/raw-http2.js';
import { until } from '../../test/support/until.js';

const defect = new Error('as asked');
function fail(): never {
  throw defect;
}

function respond(): RequestHandlers {
  // More than a frame: the rest leaves in turns of its own.
  return {
    begun: ({ stream }) => {
      stream.respond(okFields, false);
      stream.write(new Uint8Array(0), new Uint8Array(30_000));
    },
  };
}

it.each<[string, RequestHandlers]>([
  ['begins', { begun: fail }],
  ['is given bytes', { received: fail }],
  ['is told of the end', { ended: fail }],
  ['is told that bytes have left', { ...respond(), sent: fail }],
])('a handler that throws when it %s costs its connection', async (_, on) => {
  const errors: unknown[] = [];
  const bench = new Http2Bench({ ...on, broken: (error) => void errors.push(error) });
  bench.begin(open(1), open(3), data(1, 10, endStream));
  await until('it is cut off', () => bench.closed);
  expect(errors[0]).toBe(defect);
  expect(bench.socket.destroyed).toBe(true);
  for (const { events } of bench.requests) expect(events.filter((event) => event === 'closed')).toHaveLength(1);
});

it('streams whose handlers throw when they are closed keep no other from it', async () => {
  const errors: unknown[] = [];
  const bench = new Http2Bench({ closed: fail, broken: (error) => void errors.push(error) });
  bench.begin(open(1), open(3), open(5));
  await until('they have begun', () => bench.requests.length === 3);
  bench.connection.destroy();
  await until('it is closed', () => bench.closed);
  expect(bench.requests.map(({ events }) => events)).toEqual([['closed'], ['closed'], ['closed']]);
  expect(errors).toEqual([defect, defect, defect]);
});
