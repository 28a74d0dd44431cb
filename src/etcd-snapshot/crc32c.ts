// CRC-32 by Castagnoli's polynomial, over bytes as they come.

const polynomialReversed = 0x82f63b78;

const table = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ polynomialReversed : value >>> 1;
  return value >>> 0;
});

export class Crc32c {
  private state = 0xffff_ffff;

  update(bytes: Uint8Array): void {
    let { state } = this;
    for (const byte of bytes) state = (table[(state ^ byte) & 0xff] ?? 0) ^ (state >>> 8);
    this.state = state;
  }

  /** Of all bytes so far. */
  get value(): number {
    return (this.state ^ 0xffff_ffff) >>> 0;
  }
}
