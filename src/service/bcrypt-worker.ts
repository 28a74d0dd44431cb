// Entry point of the thread that compares passwords with bcrypt hashes: one after the other, each in some tenths of a
// second that would hold up everything else on the main thread. Keeps none of them.

import { parentPort } from 'node:worker_threads';
import { compareSync } from 'bcryptjs';
import type { BcryptAnswer, BcryptQuestion } from './bcrypt-thread.js';

const port = parentPort;
if (port === null) throw new Error('bcrypt-worker runs as a worker thread only');

port.on('message', ({ id, password, hash }: BcryptQuestion) => {
  let matches: boolean | null;
  try {
    matches = compareSync(password, hash);
  } catch {
    // What is thrown may tell of its input: it goes no further than this.
    matches = null;
  }
  const answer: BcryptAnswer = { id, matches };
  port.postMessage(answer);
});
