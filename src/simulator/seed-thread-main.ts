// Main program of a thread that runs seeds: one job in, one answer out, until it is terminated.

import { parentPort } from 'node:worker_threads';
import { thisThread } from './seed-runner.js';
import type { SeedAnswer, SeedJob } from './seed-threads.js';

async function answerTo(job: SeedJob): Promise<SeedAnswer> {
  try {
    return job.type === 'run'
      ? { type: 'result', result: await thisThread.run(job.options) }
      : { type: 'shrunk', shrunk: await thisThread.shrink(job.options, job.failed) };
  } catch (error) {
    return { type: 'error', text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

parentPort?.on('message', (job: SeedJob) => {
  void answerTo(job).then((answer) => parentPort?.postMessage(answer));
});
