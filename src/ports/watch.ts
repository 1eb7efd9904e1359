/**
 * Notifications of one root from this node's own kernel: hints, never evidence. See DESIGN.md section 7, listen.
 *
 * Contract:
 *  - Every directory of the root is watched, new ones as they appear, without a gap: a directory is watched first and listed after,
 *    so what was made in between is reported as well.
 *  - `changed` gives the path of a file that was written, created, moved in or out, or removed.
 *  - `overflow`: events were lost; the caller asks for a full pass. `blind`: watching has stopped or is incomplete, with the reason
 *    (`watch-limit` names the sysctl); the root goes on with the reconciler alone.
 *  - Reading, opening and closing a file without writing raises nothing: a pass must not wake the listener.
 */
export interface Watch {
  start(events: WatchEvents): Promise<void>
  /** Stops within 200 ms; nothing is reported afterwards. */
  close(): Promise<void>
}

export interface WatchEvents {
  changed(path: string): void
  overflow(): void
  blind(error: Error): void
}
