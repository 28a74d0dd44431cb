// The frames of a server that need no window, as they are written: settings, signs of life, windows, ends, and the fields of
// answers. When one is due is decided elsewhere.

import { type ErrorCode, flag, frameBytesMax, frameType } from './frames.js';
import type { Outbox } from './outbox.js';
import { packSettings, type ServerSettings } from './settings.js';

export function writeSettings(outbox: Outbox, settings: ServerSettings): void {
  const payload = packSettings(settings);
  outbox.head(frameType.settings, 0, 0, payload.length);
  outbox.add(payload);
}

export function writeSettingsTaken(outbox: Outbox): void {
  outbox.head(frameType.settings, flag.acknowledged, 0, 0);
}

/** Asks for a sign of life. */
export function writePing(outbox: Outbox): void {
  outbox.head(frameType.ping, 0, 0, 8);
  outbox.uint32(0);
  outbox.uint32(0);
}

export function writePong(outbox: Outbox, payload: Uint8Array): void {
  outbox.head(frameType.ping, flag.acknowledged, 0, payload.length);
  outbox.add(payload);
}

/** So many bytes more may come; `id` 0: on all streams together. */
export function writeWindowUpdate(outbox: Outbox, id: number, bytes: number): void {
  outbox.head(frameType.windowUpdate, 0, id, 4);
  outbox.uint32(bytes);
}

export function writeReset(outbox: Outbox, id: number, code: ErrorCode): void {
  outbox.head(frameType.reset, 0, id, 4);
  outbox.uint32(code);
}

/** GOAWAY: the last stream that is served, why, and a text for people. */
export function writeGoAway(outbox: Outbox, lastStream: number, code: ErrorCode, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  outbox.head(frameType.goAway, 0, 0, 8 + bytes.length);
  outbox.uint32(lastStream);
  outbox.uint32(code);
  outbox.add(bytes);
}

/** HEADERS, in as many frames as they need. */
export function writeFields(outbox: Outbox, stream: number, block: Uint8Array, end: boolean): void {
  const endStream = end ? flag.endStream : 0;
  if (block.length <= frameBytesMax) {
    outbox.head(frameType.headers, flag.endHeaders | endStream, stream, block.length);
    outbox.add(block);
    return;
  }
  for (let at = 0; at < block.length; at += frameBytesMax) {
    const piece = block.subarray(at, at + frameBytesMax);
    const last = at + frameBytesMax >= block.length ? flag.endHeaders : 0;
    const type = at === 0 ? frameType.headers : frameType.continuation;
    outbox.head(type, last | (at === 0 ? endStream : 0), stream, piece.length);
    outbox.add(piece);
  }
}
