// How a leader numbers what it proposes. An epoch whose counter is nearly used up takes nothing more.

import { counterMax, counterOf, counterReserve, type Epoch, epochOf, type Zxid, zxidOf } from '../shared/ids.js';

/** First zxid of the next batch of this epoch; null when its counter is nearly used up. */
export function nextZxidAfter(last: Zxid, epoch: Epoch): Zxid | null {
  const counter = epochOf(last) === epoch ? counterOf(last) : 0;
  return counter > counterMax - counterReserve ? null : zxidOf(epoch, counter + 1);
}
