// `npm run fuzz -- --inputs N --seed N [--only NAME]`: the long run of the decoders. Prints what became of the inputs
// of each, and repeats a finding by its numbers. A watchdog thread names the input that does not end.

import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { decoderTargets, runDecoder } from './decoder-run.js';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});

/** An input that takes longer than this counts as one that does not end. */
const stuckMs = 30_000;
/** Inputs between two looks at the memory. */
const memoryStep = 4_096;

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`Cannot use --${name}: it is ${JSON.stringify(text)}, expected a whole number`);
}

/** [0] counts the inputs begun; [1] is the target's number, [2] the input's. */
const progress = new Int32Array(new SharedArrayBuffer(12));

const watchdog = new Worker(
  `const { workerData: { progress, names, seed, stuckMs } } = require('node:worker_threads');
   let seen = -1;
   setInterval(() => {
     const now = Atomics.load(progress, 0);
     if (now === seen) {
       console.error(names[progress[1]] + ': input ' + progress[2] + ' of seed ' + seed + ' does not end');
       process.kill(process.pid, 'SIGKILL');
     }
     seen = now;
   }, stuckMs);`,
  { eval: true, workerData: { progress, names: decoderTargets.map(({ name }) => name), seed: values.seed, stuckMs } },
);
watchdog.unref();

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(0)} MB`;
}

const seed = wholeNumber('seed', values.seed);
const chosen = decoderTargets.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0) throw new Error(`Cannot fuzz ${values.only}: there is no such decoder`);
const shares = chosen.reduce((sum, { slowness = 1 }) => sum + 1 / slowness, 0);
const inputs = Math.ceil(wholeNumber('inputs', values.inputs) / shares);

let peakBytes = 0;
let findings = 0;
let total = 0;
const began = performance.now();
for (const target of chosen) {
  Atomics.store(progress, 1, decoderTargets.indexOf(target));
  const targetBegan = performance.now();
  try {
    const run = runDecoder(target, {
      seed,
      inputs,
      begins: (index) => {
        Atomics.store(progress, 2, index);
        Atomics.add(progress, 0, 1);
        if (index % memoryStep === 0) peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
      },
    });
    total += run.inputs;
    const rate = Math.round((run.inputs * 1_000) / (performance.now() - targetBegan));
    process.stdout.write(
      `${target.name.padEnd(22)} ${run.inputs} inputs, ${run.accepted} accepted, ${run.refused} refused, ${rate}/s\n`,
    );
  } catch (error) {
    findings++;
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
const seconds = (performance.now() - began) / 1_000;
process.stdout.write(
  `${total} inputs from seed ${seed} in ${seconds.toFixed(0)} s, ${findings} findings, peak memory ${megabytes(peakBytes)}\n`,
);
process.exitCode = findings === 0 ? 0 : 1;
