/**
 * Signals: "this path in this root may have grown". Hints: any may be lost, doubled, late or forged.
 *
 * Contract:
 *  - `send` adds to the root's stream, which has a maximum length; it throws `redis-*` when it cannot.
 *  - `receive` hands each signal to one of all receivers of the root, in any process, without acknowledgement (a lost signal is found
 *    by the next pass). It resolves with up to `limit` signals, or with none after a few seconds; it never rejects for a
 *    malformed entry, which is skipped.
 */
export interface Signals {
  send(root: string, signals: Signal[]): Promise<void>
  receive(root: string, limit: number): Promise<Signal[]>
  close(): Promise<void>
}

/** What a listener sends. */
export const inotifyCause = 'inotify'

export interface Signal {
  path: string
  size?: number
  node?: string
  /** `inotify`, `reconcile`, or whatever an outside program wrote (at most 64 characters of it are kept). */
  cause: string
}
