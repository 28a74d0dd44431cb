// `zabtree watch`: a line for each change as it comes, until enough have come or it is interrupted. Survives the loss of
// its peer without losing or repeating a change.

import type { WatchUpdate } from '../../client/watch-stream.js';
import type { ZabtreeClient } from '../../client/zabtree-client.js';
import type { KeyRecord, NativeEvent } from '../../wire/native-messages.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { jsonBytes, jsonRecord, note, shown, write, writeJson } from '../output.js';

export interface WatchFlags extends ConnectionFlags, OutputFlags {
  readonly prefix?: string;
  readonly fromRevision?: number;
  readonly initial?: boolean;
  readonly broadcasts?: boolean;
  readonly count?: number;
}

export async function runWatch(key: string | undefined, flags: WatchFlags): Promise<void> {
  await withClient(flags, (client) => follow(client, key, flags));
}

async function follow(client: ZabtreeClient, key: string | undefined, flags: WatchFlags): Promise<void> {
  const watch = client.watch({
    ...(key === undefined ? {} : { key }),
    ...(flags.prefix === undefined ? {} : { prefix: flags.prefix }),
    ...(flags.fromRevision === undefined ? {} : { fromRevision: flags.fromRevision }),
    initial: flags.initial ?? false,
  });
  const interrupt = (): void => watch.close();
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  let left = flags.count ?? Number.POSITIVE_INFINITY;
  const printer = flags.output === 'json' ? printJson : printText;
  if (flags.broadcasts === true) {
    client.onBroadcast((payload) => {
      void printBroadcast(payload, flags.output);
      if (--left <= 0) watch.close();
    });
  }
  try {
    for await (const update of watch) {
      for (const line of linesOf(update)) {
        if (left <= 0) return;
        await printer(line);
        left--;
      }
      if (left <= 0) return;
      if (update.type === 'initial' && update.last) note(`watching from revision ${update.revision + 1}`);
    }
  } finally {
    process.removeListener('SIGINT', interrupt);
    process.removeListener('SIGTERM', interrupt);
  }
}

type Line = { readonly type: 'initial'; readonly record: KeyRecord } | NativeEvent;

function linesOf(update: WatchUpdate): readonly Line[] {
  return update.type === 'events'
    ? update.events
    : update.records.map((record) => ({ type: 'initial' as const, record }));
}

function printJson(line: Line): Promise<void> {
  if (line.record !== undefined) return writeJson({ type: line.type, ...jsonRecord(line.record, true) });
  return line.type === 'initial'
    ? writeJson(line)
    : writeJson({ type: line.type, ...jsonBytes('key', line.key), modRevision: line.modRevision });
}

async function printText(line: Line): Promise<void> {
  const key = line.type === 'initial' ? line.record.key : line.key;
  const revision = line.type === 'initial' ? line.record.modRevision : line.modRevision;
  await write(`${line.type}\t${revision}\t`);
  await write(shown(key));
  if (line.record !== undefined) {
    await write('\t');
    await write(shown(line.record.value));
  }
  await write('\n');
}

async function printBroadcast(payload: Uint8Array, output: 'text' | 'json'): Promise<void> {
  if (output === 'json') {
    await writeJson({ type: 'broadcast', ...jsonBytes('payload', payload) });
    return;
  }
  await write('broadcast\t\t\t');
  await write(shown(payload));
  await write('\n');
}
