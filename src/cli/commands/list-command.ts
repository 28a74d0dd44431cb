// `zabtree list`: keys and values in order, page by page, all of one revision.

import type { ListOptions } from '../../client/zabtree-client.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { jsonRecord, shown, write } from '../output.js';

export interface ListFlags extends ConnectionFlags, OutputFlags {
  readonly prefix?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly revision?: number;
  readonly keysOnly?: boolean;
  readonly local?: boolean;
}

export async function runList(flags: ListFlags): Promise<void> {
  await withClient(flags, async (client) => {
    const pages = client.list(listOptionsOf(flags));
    if (flags.output === 'json') await printJson(pages, flags.keysOnly !== true);
    else await printText(pages, flags.keysOnly !== true);
  });
}

function listOptionsOf(flags: ListFlags): ListOptions {
  return {
    ...(flags.prefix === undefined ? {} : { prefix: flags.prefix }),
    ...(flags.from === undefined ? {} : { from: flags.from }),
    ...(flags.to === undefined ? {} : { to: flags.to }),
    ...(flags.limit === undefined ? {} : { limit: flags.limit }),
    ...(flags.revision === undefined ? {} : { revision: flags.revision }),
    keysOnly: flags.keysOnly ?? false,
    local: flags.local ?? false,
  };
}

type Pages = ReturnType<import('../../client/zabtree-client.js').ZabtreeClient['list']>;

/** A page in one write: a call for each small piece would cost more than the page itself. */
async function printText(pages: Pages, withValues: boolean): Promise<void> {
  for await (const page of pages) {
    const pieces: Uint8Array[] = [];
    for (const record of page.records) {
      pieces.push(bytesOf(shown(record.key)));
      if (withValues) pieces.push(tab, bytesOf(shown(record.value)));
      pieces.push(newline);
    }
    await write(Buffer.concat(pieces));
  }
}

const tab = Buffer.from('\t');
const newline = Buffer.from('\n');

function bytesOf(data: string | Uint8Array): Uint8Array {
  return typeof data === 'string' ? Buffer.from(data) : data;
}

/** One object, written as its pages come. */
async function printJson(pages: Pages, withValues: boolean): Promise<void> {
  let revision = 0;
  let written = 0;
  await write('{"records":[');
  for await (const page of pages) {
    revision = page.revision;
    const records = page.records.map((record) => JSON.stringify(jsonRecord(record, withValues)));
    if (records.length > 0) await write(`${written > 0 ? ',\n' : ''}${records.join(',\n')}`);
    written += records.length;
  }
  await write(`],"revision":${revision}}\n`);
}
