// Threads that run seeds. Each takes one job at a time; what a seed does does not depend on where it runs.

import { Worker } from 'node:worker_threads';
import type { SeedRunner } from './seed-runner.js';
import type { ShrunkFailure } from './shrink.js';
import type { SimulationOptions, SimulationResult } from './simulation.js';

export type SeedJob =
  | { readonly type: 'run'; readonly options: SimulationOptions }
  | { readonly type: 'shrink'; readonly options: SimulationOptions; readonly failed: SimulationResult };

export type SeedAnswer =
  | { readonly type: 'result'; readonly result: SimulationResult }
  | { readonly type: 'shrunk'; readonly shrunk: ShrunkFailure }
  | { readonly type: 'error'; readonly text: string };

export class SeedThread implements SeedRunner {
  private readonly worker = new Worker(new URL('./seed-thread-main.js', import.meta.url));

  async run(options: SimulationOptions): Promise<SimulationResult> {
    const answer = await this.ask({ type: 'run', options });
    if (answer.type !== 'result') throw new Error(`Cannot run seed ${options.seed}: ${textOf(answer)}`);
    return answer.result;
  }

  async shrink(options: SimulationOptions, failed: SimulationResult): Promise<ShrunkFailure> {
    const answer = await this.ask({ type: 'shrink', options, failed });
    if (answer.type !== 'shrunk') throw new Error(`Cannot shrink seed ${options.seed}: ${textOf(answer)}`);
    return answer.shrunk;
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }

  private ask(job: SeedJob): Promise<SeedAnswer> {
    const { worker } = this;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        worker.removeListener('message', answered);
        worker.removeListener('error', failed);
        worker.removeListener('exit', ended);
        act();
      };
      const answered = (answer: SeedAnswer): void => settle(() => resolve(answer));
      const failed = (error: Error): void => settle(() => reject(error));
      const ended = (): void => settle(() => reject(new Error('the thread has ended')));
      worker.on('message', answered);
      worker.on('error', failed);
      worker.on('exit', ended);
      worker.postMessage(job);
    });
  }
}

function textOf(answer: SeedAnswer): string {
  return answer.type === 'error' ? answer.text : `the thread answered with a ${answer.type}`;
}
