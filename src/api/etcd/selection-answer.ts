// What the answers of Range and RangeStream have in common: they ask for a selection, take it as the client reads, and end
// their call. How records are laid out in messages is theirs.

import type { SelectionHandle, SelectionHead, SelectionSink } from '../../service/store-service.js';
import type { StoreError } from '../../shared/errors.js';
import type { Revision } from '../../shared/ids.js';
import type { KeyRecord } from '../../tree/store.js';
import type { RangeSelection } from '../../tree/transaction.js';
import { rangeRecordSize } from './codec/operation-responses.js';
import type { EtcdContext } from './context.js';
import type { GrpcCall } from './grpc/grpc-call.js';
import { failCall, readOptions } from './grpc-methods.js';

export abstract class SelectionAnswer implements SelectionSink {
  protected readonly context: EtcdContext;
  protected readonly call: GrpcCall;
  /** The revision that was asked for. */
  protected at: Revision | undefined;
  private handle: SelectionHandle | null = null;
  private head: SelectionHead | null = null;

  constructor(context: EtcdContext, call: GrpcCall) {
    this.context = context;
    this.call = call;
  }

  protected abstract beginAnswer(head: SelectionHead): void;
  /** False: no more until the call has drained. */
  protected abstract addRecords(page: readonly KeyRecord[]): boolean;
  /** Writes what follows the last record. */
  protected abstract endAnswer(head: SelectionHead): void;

  select(selection: RangeSelection, serializable: boolean): void {
    const { context, call } = this;
    this.at = selection.at;
    const options = readOptions(context, call, { local: serializable });
    this.handle = context.service.select(selection, options, this);
    call.onDrain(() => this.handle?.resume());
    call.onCancelled(() => this.handle?.cancel());
  }

  sizeOf(record: KeyRecord): number {
    return rangeRecordSize(record);
  }

  begin(head: SelectionHead): void {
    this.head = head;
    try {
      this.beginAnswer(head);
    } catch (error) {
      failCall(this.context, this.call, error);
    }
  }

  records(page: readonly KeyRecord[]): boolean {
    try {
      return this.addRecords(page);
    } catch (error) {
      failCall(this.context, this.call, error);
      return false;
    }
  }

  end(error: StoreError | null): void {
    const { call, head } = this;
    if (call.over) return;
    try {
      if (error !== null || head === null) {
        failCall(this.context, call, error);
        return;
      }
      this.endAnswer(head);
      call.finish();
    } catch (thrown) {
      failCall(this.context, call, thrown);
    }
  }
}
