// Values of commands: an argument's text as UTF-8, or standard input for `-`, bounded.

import { StoreError } from '../shared/errors.js';

/** Above every limit that a server may have; a longer input is refused before it is all in memory. */
const inputBytesMax = 64 * 2 ** 20;

export async function valueArgument(text: string): Promise<Uint8Array> {
  return text === '-' ? await readInput() : Buffer.from(text, 'utf8');
}

async function readInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let byteLength = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    byteLength += chunk.length;
    if (byteLength > inputBytesMax)
      throw new StoreError('TOO_LARGE', `Standard input has more than ${inputBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
