// Standard output of the commands: data alone, raw bytes where people want text, one JSON value or one JSON line where
// programs read. Waits when the reader is slow. Everything else goes to standard error.

import { formatLease } from '../shared/ids.js';
import type { KeyRecord } from '../wire/native-messages.js';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function write(data: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(data)) resolve();
    else process.stdout.once('drain', resolve);
  });
}

export function writeJson(value: unknown): Promise<void> {
  return write(`${JSON.stringify(value)}\n`);
}

/** A line for the person at the terminal, not part of the data. */
export function note(text: string): void {
  process.stderr.write(`zabtree: ${text}\n`);
}

/** `1 key`, `2 keys`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** `{name: text}` when the bytes are UTF-8, else `{nameBase64: base64}`. */
export function jsonBytes(name: string, bytes: Uint8Array): Record<string, string> {
  const text = utf8Text(bytes);
  if (text !== undefined) return { [name]: text };
  return { [`${name}Base64`]: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') };
}

export function utf8Text(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function jsonRecord(record: KeyRecord, withValue: boolean): Record<string, unknown> {
  return {
    ...jsonBytes('key', record.key),
    ...(withValue ? jsonBytes('value', record.value) : {}),
    createRevision: record.createRevision,
    modRevision: record.modRevision,
    version: record.version,
    ...(record.lease === 0n ? {} : { lease: formatLease(record.lease) }),
  };
}

/** Bytes as they are for a pipe; for a terminal without what could steer it. */
export function shown(bytes: Uint8Array): string | Uint8Array {
  return process.stdout.isTTY ? printable(bytes) : bytes;
}

/** Text in which control characters and what is no UTF-8 stand as `\xNN`. */
export function printable(bytes: Uint8Array): string {
  const text = utf8Text(bytes);
  if (text === undefined)
    return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hex(byte))).join('');
  return Array.from(text, (character) => {
    const point = character.codePointAt(0) ?? 0;
    return point < 0x20 || (point >= 0x7f && point < 0xa0) ? hex(point) : character;
  }).join('');
}

function hex(value: number): string {
  return `\\x${value.toString(16).padStart(2, '0')}`;
}

/** Columns padded to the widest cell; the first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}
