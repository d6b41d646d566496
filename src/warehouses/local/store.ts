/** Where plan and state of a read-only source are kept: files that never change, and one ledger a sync that names them. */

export interface StateStore {
  /** Fails when it cannot be written. */
  check(): Promise<void>;
  /** The ledger of a sync as it is now; null when there is none yet. */
  readLedger(sync: string): Promise<LedgerText | null>;
  /**
   * Replaces the ledger, durably, unless somebody else replaced it since `before` was read: then it is left alone, and
   * false. Whatever breaks in between, the old text or the new is there, never a mixture.
   */
  replaceLedger(sync: string, text: string, before: LedgerText | null): Promise<boolean>;
  /** Takes the finished file at `path` into the store, durably. The file at `path` may be gone afterwards. */
  put(sync: string, file: string, path: string): Promise<void>;
  /** A path on this machine that has what is in a file of the store; it is brought to `folder` if need be. */
  fetch(sync: string, file: string, folder: string): Promise<string>;
  /** All files of a sync. */
  list(sync: string): Promise<readonly StoredFile[]>;
  /** Removes a file that is no longer named by the ledger. */
  remove(sync: string, file: string): Promise<void>;
}

export interface LedgerText {
  readonly text: string;
  /** Which text it is: no two of one sync have the same. */
  readonly version: string;
}

export interface StoredFile {
  readonly file: string;
  readonly ageMs: number;
}
