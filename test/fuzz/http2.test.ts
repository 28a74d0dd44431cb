// Valid frames, mutated, cut and repeated, thrown at connections of HTTP/2 over memory: no exception, no memory beyond a
// bound, the connection answers or closes, and another one goes on. FUZZ_INPUTS and FUZZ_SEED ask for more.

import { expect, it } from 'vitest';
import { data, echo, grow, Http2Bench, open, ping, reset } from '../support/http2-bench.js';
import { endHeaders, endStream, frame, frameTypes, headerBlock, preface, settings } from '../support/raw-http2.js';
import { until } from '../support/until.js';
import { fuzzInputs, fuzzSeed } from './fuzz-environment.js';
import { Mutator } from './mutator.js';

const inputsDefault = 300;
/** What a client that reads can have waiting for it, with what it may have opened streams for. */
const unsentBytesMax = 4 * 2 ** 20;

const pieces: readonly Buffer[] = [
  preface,
  settings(),
  settings([1, 0], [1, 4_096], [4, 10], [5, 16_384]),
  settings([4, 70_000]),
  frame(frameTypes.settings, 1, 0),
  ping,
  grow(0, 100_000),
  ...[1, 3, 5, 7].flatMap((stream) => [
    open(stream),
    open(stream, endStream),
    data(stream, 300),
    data(stream, 5, endStream),
    frame(frameTypes.data, 8, stream, Buffer.from([2, 1, 1, 0, 0])),
    grow(stream, 1_000),
    reset(stream),
    frame(frameTypes.headers, 0, stream, headerBlock({ ':method': 'POST', ':scheme': 'http' })),
    frame(frameTypes.continuation, endHeaders, stream, headerBlock({ ':path': '/' })),
    frame(frameTypes.headers, endHeaders | endStream, stream, headerBlock({ checksum: 'x' })),
    frame(frameTypes.priority, 0, stream, Buffer.alloc(5)),
  ]),
  frame(frameTypes.goAway, 0, 0, Buffer.alloc(8)),
  frame(99, 0, 0, Buffer.from('unknown')),
];

/** A conversation that is right at first; one frame in four is changed. */
function conversation(mutator: Mutator): Uint8Array {
  const chosen = [preface, settings(), open(1)];
  for (let count = mutator.below(30); count > 0; count--) {
    const piece = pieces[mutator.below(pieces.length)] ?? ping;
    chosen.push(mutator.below(4) === 0 ? Buffer.from(mutator.next([piece])) : piece);
  }
  const bytes = Buffer.concat(chosen);
  return mutator.below(8) === 0 ? mutator.next([bytes]) : bytes;
}

it('hostile frames cost a connection at most', async () => {
  const witness = new Http2Bench(echo);
  witness.begin(open(1));
  let refused = 0;
  const inputs = fuzzInputs(inputsDefault);
  const failures: unknown[] = [];
  for (let index = 0; index < inputs; index++) {
    const mutator = new Mutator((fuzzSeed() * 1_000_003 + index) >>> 0);
    const bench = new Http2Bench(echo);
    bench.socket.on('error', (error) => failures.push(error));
    if (mutator.below(5) === 0) bench.reads(false);
    const bytes = conversation(mutator);
    const origin = `seed ${fuzzSeed()}, input ${index}, bytes ${Buffer.from(bytes).toString('hex')}`;
    await new Promise((resolve) => setImmediate(resolve));
    try {
      bench.send(...mutator.pieces(bytes));
    } catch (error) {
      throw new Error(`It threw ${String(error)} (${origin})`, { cause: error });
    }
    await new Promise((resolve) => setImmediate(resolve));
    if (bench.socket.writableLength > unsentBytesMax) throw new Error(`It holds too much (${origin})`);
    bench.reads(true);
    await new Promise((resolve) => setImmediate(resolve));
    if (bench.goneWith !== undefined) refused++;
    if (failures.length > 0) throw new Error(`Its socket failed: ${String(failures[0])} (${origin})`);
    bench.connection.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    if (!bench.closed) throw new Error(`It did not close (${origin})`);
    for (const { events } of bench.requests) {
      if (events.filter((event) => event === 'closed').length !== 1) throw new Error(`A call never ended (${origin})`);
      if (events.at(-1) !== 'closed') throw new Error(`A call went on after its end (${origin})`);
    }
  }
  // A fuzzer that reaches one side only has lost its way.
  expect(refused).toBeGreaterThan(0);
  expect(refused).toBeLessThan(inputs);
  witness.send(data(1, 100, endStream));
  await until('the other one is answered', () => witness.isOver(1));
  expect(witness.data(1).length).toBe(100);
  witness.connection.destroy();
});
