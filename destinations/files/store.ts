/** Where files are put: whole or not at all, and the same name again is the same file. */
export interface FileStore {
  /** Resolves if files could be put there, with where that is. Writes nothing. */
  check(signal?: AbortSignal): Promise<string>;
  /** True: it is kept, all of it. False: the answer does not say so. */
  put(name: string, bytes: Uint8Array, type: string, signal?: AbortSignal): Promise<boolean>;
}
