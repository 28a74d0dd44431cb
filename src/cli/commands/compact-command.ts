// `compact`, on the command line and in the interactive client.

import type { CommandContext } from '../command-context.js';
import { writeJson } from '../output.js';

export async function runCompact(context: CommandContext, at: number): Promise<void> {
  const { revision, zxid } = await context.client.compact(at);
  if (context.output === 'json') await writeJson({ revision, zxid });
  else context.tell(`compacted to ${at}, revision ${revision}`);
}
