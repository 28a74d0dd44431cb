// `zabtree snapshot status`: what a snapshot file holds, in the words of etcdctl. Asks no server.

import { readSnapshotStatus } from '../../server/snapshot-status.js';
import { note, write, writeJson } from '../output.js';

export async function runSnapshotStatus(file: string, output: 'text' | 'json'): Promise<void> {
  const { hash, revision, totalKeys, totalBytes, isVerified } = readSnapshotStatus(file);
  if (output === 'json') await writeJson({ hash, revision, totalKey: totalKeys, totalSize: totalBytes });
  else await write(`${hash.toString(16)}, ${revision}, ${totalKeys}, ${sizeText(totalBytes)}\n`);
  if (!isVerified) note('it has no checksum: damage to it may have gone unnoticed');
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** As etcdctl shows sizes. */
export function sizeText(bytes: number): string {
  let unit = 0;
  let scale = 1;
  while (bytes >= scale * 1_000 && unit < units.length - 1) {
    scale *= 1_000;
    unit += 1;
  }
  const tenths = Math.floor((bytes / scale) * 10 + 0.5);
  return `${unit > 0 && tenths < 100 ? (tenths / 10).toFixed(1) : evenRounded(tenths)} ${units[unit] ?? ''}`;
}

/** Programs in Go round halves to even numbers. */
function evenRounded(tenths: number): number {
  const whole = Math.floor(tenths / 10);
  const rest = tenths % 10;
  return rest > 5 || (rest === 5 && whole % 2 === 1) ? whole + 1 : whole;
}
