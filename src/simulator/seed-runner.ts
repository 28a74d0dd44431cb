// Who runs a seed: this very thread, or another one (seed-threads.ts). Both give the same results.

import { setImmediate } from 'node:timers/promises';
import { type ShrunkFailure, shrinkFailure } from './shrink.js';
import { runSimulation, type SimulationOptions, type SimulationResult } from './simulation.js';

export interface SeedRunner {
  run(options: SimulationOptions): Promise<SimulationResult>;
  shrink(options: SimulationOptions, failed: SimulationResult, signal?: AbortSignal): Promise<ShrunkFailure>;
  /** Ends what is under way elsewhere; its promises fail. */
  stop(): Promise<void>;
}

export const thisThread: SeedRunner = {
  run: async (options) => {
    // A run may never wait for anything; signals want to be heard between two.
    await setImmediate();
    return runSimulation(options);
  },
  shrink: (options, failed, signal) => shrinkFailure(options, failed, { signal }),
  stop: async () => {},
};
