// Header blocks of a connection, put together from the frames that they come in and decoded. Their size is bounded before
// they are whole: a client must not fill memory with a block that never ends.

import { errorCode, Http2Error } from './frames.js';
import { type HeaderField, HpackDecoder, HpackError } from './hpack-decoder.js';

export interface WholeBlock {
  readonly block: Uint8Array;
  readonly endStream: boolean;
}

/** Frames that one block may come in. */
const framesMax = 64;

export class HeaderBlocks {
  private readonly decoder: HpackDecoder;
  private readonly listBytesMax: number;
  private stream = 0;
  private endStream = false;
  private pieces: Uint8Array[] = [];
  private bytes = 0;

  constructor(tableBytesMax: number, listBytesMax: number) {
    this.decoder = new HpackDecoder(tableBytesMax);
    this.listBytesMax = listBytesMax;
  }

  /** A block has begun and is not whole. */
  get open(): boolean {
    return this.stream !== 0;
  }

  begin(stream: number, endStream: boolean, piece: Uint8Array): void {
    this.stream = stream;
    this.endStream = endStream;
    this.add(piece);
  }

  /** Gives the block when this was its last piece. Throws Http2Error. */
  continue(stream: number, piece: Uint8Array, last: boolean): WholeBlock | null {
    if (!this.open || stream !== this.stream) throw new Http2Error(errorCode.protocol, 'CONTINUATION of nothing');
    this.add(piece);
    if (!last) return null;
    const block = Buffer.concat(this.pieces);
    this.pieces = [];
    this.bytes = 0;
    this.stream = 0;
    return { block, endStream: this.endStream };
  }

  /** null: the fields are more than a request may have. Throws Http2Error. */
  decode(block: Uint8Array): readonly HeaderField[] | null {
    try {
      return this.decoder.decode(block, this.listBytesMax);
    } catch (error) {
      if (error instanceof HpackError) throw new Http2Error(errorCode.compression, error.message);
      throw error;
    }
  }

  private add(piece: Uint8Array): void {
    // What came is copied: frames lie in the memory of all that came at once.
    this.pieces.push(new Uint8Array(piece));
    this.bytes += piece.length;
    if (this.bytes > 2 * this.listBytesMax || this.pieces.length > framesMax) {
      throw new Http2Error(errorCode.enhanceYourCalm, 'A header block is too long');
    }
  }
}
