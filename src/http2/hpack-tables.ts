// The two tables that header blocks refer to: the static one (RFC 7541, appendix A), which all decoders share, and the
// dynamic one of a connection. They know no octets of a block.

export interface HeaderField {
  readonly name: string;
  readonly value: string;
  /** name + value + 32 octets (RFC 7541, 4.1) */
  readonly size: number;
}

/** What a field counts for besides its text. */
const fieldOverheadBytes = 32;

/** Both as one character for each octet. */
export function headerField(name: string, value: string): HeaderField {
  return { name, value, size: name.length + value.length + fieldOverheadBytes };
}

/** The field of index 1 comes first. */
export const staticTable: readonly HeaderField[] = [
  headerField(':authority', ''),
  headerField(':method', 'GET'),
  headerField(':method', 'POST'),
  headerField(':path', '/'),
  headerField(':path', '/index.html'),
  headerField(':scheme', 'http'),
  headerField(':scheme', 'https'),
  headerField(':status', '200'),
  headerField(':status', '204'),
  headerField(':status', '206'),
  headerField(':status', '304'),
  headerField(':status', '400'),
  headerField(':status', '404'),
  headerField(':status', '500'),
  headerField('accept-charset', ''),
  headerField('accept-encoding', 'gzip, deflate'),
  headerField('accept-language', ''),
  headerField('accept-ranges', ''),
  headerField('accept', ''),
  headerField('access-control-allow-origin', ''),
  headerField('age', ''),
  headerField('allow', ''),
  headerField('authorization', ''),
  headerField('cache-control', ''),
  headerField('content-disposition', ''),
  headerField('content-encoding', ''),
  headerField('content-language', ''),
  headerField('content-length', ''),
  headerField('content-location', ''),
  headerField('content-range', ''),
  headerField('content-type', ''),
  headerField('cookie', ''),
  headerField('date', ''),
  headerField('etag', ''),
  headerField('expect', ''),
  headerField('expires', ''),
  headerField('from', ''),
  headerField('host', ''),
  headerField('if-match', ''),
  headerField('if-modified-since', ''),
  headerField('if-none-match', ''),
  headerField('if-range', ''),
  headerField('if-unmodified-since', ''),
  headerField('last-modified', ''),
  headerField('link', ''),
  headerField('location', ''),
  headerField('max-forwards', ''),
  headerField('proxy-authenticate', ''),
  headerField('proxy-authorization', ''),
  headerField('range', ''),
  headerField('referer', ''),
  headerField('refresh', ''),
  headerField('retry-after', ''),
  headerField('server', ''),
  headerField('set-cookie', ''),
  headerField('strict-transport-security', ''),
  headerField('transfer-encoding', ''),
  headerField('user-agent', ''),
  headerField('vary', ''),
  headerField('via', ''),
  headerField('www-authenticate', ''),
];

/** What an empty slot holds, so that the ring never keeps an evicted field alive. */
const vacant = headerField('', '');

/** The newest fields, as many as the size that the peer chose has room for. */
export class DynamicTable {
  private readonly ring: HeaderField[];
  private readonly mask: number;
  /** Slot of the next field. */
  private next = 0;
  private count = 0;
  private bytes = 0;
  private bytesMax: number;

  constructor(options: { readonly bytesMax: number; readonly bytesMaxEver: number }) {
    this.bytesMax = options.bytesMax;
    // No field is smaller than its overhead, so that this many slots are enough.
    let slots = 1;
    while (slots < options.bytesMaxEver / fieldOverheadBytes) slots *= 2;
    this.ring = new Array<HeaderField>(slots).fill(vacant);
    this.mask = slots - 1;
  }

  /** 0 is the newest. */
  get(age: number): HeaderField | undefined {
    return age < this.count ? this.ring[(this.next - 1 - age) & this.mask] : undefined;
  }

  /** One that is larger than the table empties it and is not kept. */
  add(field: HeaderField): void {
    this.evictDownTo(this.bytesMax - field.size);
    if (field.size > this.bytesMax) return;
    this.ring[this.next] = field;
    this.next = (this.next + 1) & this.mask;
    this.count++;
    this.bytes += field.size;
  }

  /** At most the `bytesMaxEver` that it was made for. */
  resize(bytesMax: number): void {
    this.bytesMax = bytesMax;
    this.evictDownTo(bytesMax);
  }

  private evictDownTo(bytes: number): void {
    while (this.bytes > bytes && this.count > 0) {
      const oldest = (this.next - this.count) & this.mask;
      this.bytes -= (this.ring[oldest] as HeaderField).size;
      this.ring[oldest] = vacant;
      this.count--;
    }
  }
}
