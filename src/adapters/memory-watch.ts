/**
 * A Watch whose events are fired by hand: for a process without a kernel to listen to, such as the simulation.
 * It has no directories of its own; whoever writes says so.
 */
import type { Watch, WatchEvents } from '../ports/watch.ts'

/** The events reach the caller of `start` at once; before it and after `close` they are dropped. */
export interface MemoryWatch extends Watch, WatchEvents {}

export function openMemoryWatch(): MemoryWatch {
  let events: WatchEvents | null = null
  return {
    async start(given) {
      events = given
    },
    async close() {
      events = null
    },
    changed: (path) => events?.changed(path),
    overflow: () => events?.overflow(),
    blind: (error) => events?.blind(error),
  }
}
