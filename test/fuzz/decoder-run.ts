// Throws a number of inputs at a decoder. Each input follows from target, seed and index alone, so that a finding is
// repeated by its numbers; the finding also carries the bytes.

import { type DecoderTarget, judge } from './decoder-target.js';
import { Mutator } from './mutator.js';
import { storageTargets } from './storage-targets.js';
import { wireTargets } from './wire-targets.js';

export const decoderTargets: readonly DecoderTarget[] = [...wireTargets, ...storageTargets];

export interface DecoderRun {
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
}

export interface RunOptions {
  readonly seed: number;
  /** For a decoder of the usual speed. */
  readonly inputs: number;
  /** Before each input: whoever watches can tell which one does not end. */
  readonly begins?: (index: number) => void;
}

export interface FuzzInput {
  readonly bytes: Uint8Array;
  readonly choice: number;
}

/** A decoder did what it must not. The message has all that repeats it. */
export class DecoderFinding extends Error {
  override readonly name = 'DecoderFinding';
}

/** The input of this number. */
export function inputOf(target: DecoderTarget, seed: number, index: number): FuzzInput {
  const mutator = new Mutator(hashOf(`${target.name}/${seed}/${index}`));
  const mutated = mutator.next(target.inputs);
  const bytes = target.seal !== undefined && index % 2 === 0 ? target.seal(mutated) : mutated;
  return { bytes, choice: mutator.below(2 ** 32) };
}

export function runDecoder(target: DecoderTarget, options: RunOptions): DecoderRun {
  const { seed, begins } = options;
  const inputs = Math.ceil(options.inputs / (target.slowness ?? 1));
  let accepted = 0;
  for (const bytes of target.inputs) {
    if (!judgeOrReport(target, { bytes, choice: 0 }, 'its own corpus')) {
      throw new DecoderFinding(`${target.name}: it refuses valid bytes ${hexOf(bytes)}`);
    }
  }
  for (let index = 0; index < inputs; index++) {
    begins?.(index);
    if (judgeOrReport(target, inputOf(target, seed, index), `seed ${seed}, input ${index}`)) accepted++;
  }
  return { inputs, accepted, refused: inputs - accepted };
}

function judgeOrReport(target: DecoderTarget, { bytes, choice }: FuzzInput, origin: string): boolean {
  try {
    return judge(target, bytes, choice);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DecoderFinding(`${target.name}: ${reason} (${origin}, choice ${choice}, bytes ${hexOf(bytes)})`, {
      cause: error,
    });
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex') || 'none';
}

/** FNV-1a, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}
