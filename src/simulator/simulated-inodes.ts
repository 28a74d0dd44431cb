// Files and directories of a simulated disk. Each has what processes see (the page cache) and what is on the platter; a
// crash of the machine leaves of the difference a random part. Plain data: no time, no errors, no paths.

import type { SeededRandom } from '../shared/random.js';

/** What a disk writes whole or not at all, but for the one sector that the power fails in. */
export const sectorBytes = 512;

export type Inode = FileInode | DirectoryInode;

export class FileInode {
  readonly type = 'file';
  size = 0;
  /** At least `size` long. */
  private content: Buffer = Buffer.alloc(0);
  private platter: Buffer = Buffer.alloc(0);
  private platterSize = 0;
  /** Sectors that were written and not synced. */
  private readonly dirty = new Set<number>();
  /** Within `size`, without a place on the disk. */
  private holeBytes = 0;

  get allocatedBytes(): number {
    return Math.max(0, this.size - this.holeBytes);
  }

  read(buffer: Buffer, start: number, position: number): number {
    const bytes = Math.max(0, Math.min(buffer.length - start, this.size - position));
    this.content.copy(buffer, start, position, position + bytes);
    return bytes;
  }

  text(): string {
    return this.content.toString('utf8', 0, this.size);
  }

  write(bytes: Buffer, position: number): void {
    const end = position + bytes.length;
    if (bytes.length === 0) return;
    this.reserve(end);
    bytes.copy(this.content, position);
    this.size = Math.max(this.size, end);
    for (let sector = sectorOf(position); sector <= sectorOf(end - 1); sector++) this.dirty.add(sector);
  }

  /** As opening for replacement does. What was there is on the platter until something else is synced in its place. */
  truncate(): void {
    this.content.fill(0);
    this.size = 0;
    this.holeBytes = 0;
    this.dirty.clear();
  }

  sync(): void {
    for (const sector of this.dirty) this.writeBack(sector);
    this.dirty.clear();
    this.platterSize = this.size;
  }

  /** The pages are clean from now on, and not on the disk: what Linux does when writing them back has failed. */
  failSync(): void {
    this.dirty.clear();
  }

  /** Syncs only what these bytes lie in. */
  syncRange(position: number, bytes: number): void {
    if (bytes === 0) return;
    for (let sector = sectorOf(position); sector <= sectorOf(position + bytes - 1); sector++) {
      this.writeBack(sector);
      this.dirty.delete(sector);
    }
    this.platterSize = Math.max(this.platterSize, Math.min(this.size, position + bytes));
  }

  /** Flips a bit of what is stored. */
  rot(position: number, bit: number): void {
    for (const bytes of [this.content, this.platter]) {
      if (position < bytes.length) bytes.writeUInt8(bytes.readUInt8(position) ^ (1 << bit), position);
    }
  }

  /** The machine loses power. */
  crash(random: SeededRandom): void {
    const size = sizeAfterCrash(random, this.platterSize, this.size);
    this.growPlatter();
    this.survive(random);
    this.content = Buffer.from(this.platter);
    this.content.fill(0, size);
    this.size = size;
    this.platterSize = this.size;
    this.dirty.clear();
  }

  /** Writes some of the unsynced sectors to the platter: any of them, or the first so many, the last of these in part. */
  private survive(random: SeededRandom): void {
    if (this.dirty.size === 0) return;
    const sectors = [...this.dirty].sort((a, b) => a - b);
    const whole = random.below(4);
    const inOrder = random.chance(0.5);
    const kept = inOrder ? random.below(sectors.length + 1) : 0;
    sectors.forEach((sector, index) => {
      const keep = whole === 0 || (whole > 1 && (inOrder ? index < kept : random.chance(0.5)));
      if (keep && inOrder && index === kept - 1 && whole === 3) this.tear(sector, random.below(sectorBytes));
      else if (keep) this.writeBack(sector);
      else if (sector * sectorBytes >= this.platterSize && random.chance(0.5)) this.punch(sector);
    });
  }

  /** A sector that never got a place on the disk reads as zeros. */
  private punch(sector: number): void {
    const from = sector * sectorBytes;
    this.platter.fill(0, from, from + sectorBytes);
    this.holeBytes += sectorBytes;
  }

  private tear(sector: number, bytes: number): void {
    const from = sector * sectorBytes;
    this.content.copy(this.platter, from, from, Math.min(from + bytes, this.content.length));
  }

  private writeBack(sector: number): void {
    const from = sector * sectorBytes;
    if (from + sectorBytes > this.platter.length) this.growPlatter();
    this.content.copy(this.platter, from, from, from + sectorBytes);
  }

  private growPlatter(): void {
    if (this.platter.length >= this.content.length) return;
    const platter = Buffer.alloc(this.content.length);
    this.platter.copy(platter);
    this.platter = platter;
  }

  private reserve(size: number): void {
    if (size <= this.content.length) return;
    const whole = Math.ceil(Math.max(size, this.content.length * 2) / sectorBytes) * sectorBytes;
    const content = Buffer.alloc(whole);
    this.content.copy(content, 0, 0, this.size);
    this.content = content;
  }
}

interface DirectoryChange {
  readonly names: readonly { readonly name: string; readonly inode: Inode | null }[];
}

export class DirectoryInode {
  readonly type = 'directory';
  readonly entries = new Map<string, Inode>();
  private readonly durable = new Map<string, Inode>();
  /** Not synced, oldest first. Each happens whole. */
  private changes: DirectoryChange[] = [];
  private syncedChanges = 0;

  /** Changes so far. */
  get changed(): number {
    return this.syncedChanges + this.changes.length;
  }

  /** Gives names, or takes them away, at once. */
  change(...names: DirectoryChange['names']): void {
    apply(this.entries, names);
    this.changes.push({ names });
  }

  /** Makes the first so many changes durable, counted since there is this directory. */
  sync(changes: number): void {
    const due = this.changes.splice(0, Math.max(0, changes - this.syncedChanges));
    for (const { names } of due) apply(this.durable, names);
    this.syncedChanges += due.length;
  }

  /** The machine loses power: of the unsynced changes the first so many are there, or any of them in their order. */
  crash(random: SeededRandom): void {
    const inOrder = random.chance(0.7);
    const kept = random.below(this.changes.length + 1);
    this.changes.forEach(({ names }, index) => {
      if (inOrder ? index < kept : random.chance(0.5)) apply(this.durable, names);
    });
    this.syncedChanges += this.changes.length;
    this.changes = [];
    this.entries.clear();
    for (const [name, inode] of this.durable) {
      this.entries.set(name, inode);
      inode.crash(random);
    }
  }
}

function apply(entries: Map<string, Inode>, names: DirectoryChange['names']): void {
  for (const { name, inode } of names) {
    if (inode === null) entries.delete(name);
    else entries.set(name, inode);
  }
}

function sectorOf(position: number): number {
  return Math.floor(position / sectorBytes);
}

function sizeAfterCrash(random: SeededRandom, synced: number, written: number): number {
  if (synced === written) return synced;
  const low = Math.min(synced, written);
  const high = Math.max(synced, written);
  const choice = random.below(3);
  return choice === 0 ? synced : choice === 1 ? written : low + random.below(high - low + 1);
}
