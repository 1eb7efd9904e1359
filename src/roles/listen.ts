/**
 * The listener of one root: what this node's own kernel reports, passed on at once, to the worker in this process and to the root's stream.
 * It is fast and it is blind to other machines; nothing depends on it.
 *
 * Signals for the stream are coalesced per file for a few ms, and while a send is in flight: this process reads the file itself, and first.
 * After lost events (overflow) a full pass is asked for. A watch that
 * ends (unmounted, replaced) is begun again; one that ran out of watches goes on with what it has.
 */

import { isGleanerError } from '../errors.ts'
import { inotifyCause, type Signal } from '../ports/signals.ts'
import type { Watch } from '../ports/watch.ts'
import type { RootContext } from './context.ts'
import type { Worker } from './work.ts'

const restartMs = 10_000
/** Longer than this process takes to publish a line; others that take the signal need not be as fast. */
const sendAfterMs = 5
const sendMax = 500

export interface ListenParts {
  worker: Worker
  /** A new watch each time: one that has ended is not begun again. */
  openWatch(): Watch
  askFull(): void
}

/** Listens until `signal` aborts. */
export async function listen(context: RootContext, parts: ListenParts, signal: AbortSignal): Promise<void> {
  const sender = openSender(context)
  while (!signal.aborted) {
    const watch = parts.openWatch()
    const ended = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
      void begin(context, parts, { watch, sender, resolve })
    })
    await ended
    await watch.close()
    if (!signal.aborted) await context.clock.delay(restartMs, signal)
  }
}

async function begin(
  context: RootContext,
  parts: ListenParts,
  { watch, sender, resolve }: { watch: Watch; sender: (path: string) => void; resolve: () => void },
): Promise<void> {
  const { root, telemetry } = context
  try {
    await watch.start({
      changed(path) {
        if (!root.includes(path)) return
        parts.worker.signal({ path, cause: inotifyCause }, { local: true })
        parts.worker.saw('inotify')
        sender(path)
      },
      overflow() {
        telemetry.notice('inotify lost events; a full pass follows', { root: root.name })
        parts.askFull()
      },
      blind(error) {
        telemetry.trouble(error, { root: root.name, role: 'listen' })
        parts.askFull()
        if (!isGleanerError(error, 'watch-limit')) resolve()
      },
    })
  } catch (error) {
    telemetry.trouble(error, { root: root.name, role: 'listen' })
    resolve()
  }
}

/** Sends what gathered while the last send was under way. A Redis that is away costs the signals, which are hints. */
function openSender(context: RootContext): (path: string) => void {
  const { signals, root, node, clock, telemetry } = context
  const gathered = new Set<string>()
  let sending = false

  const send = async (): Promise<void> => {
    sending = true
    while (gathered.size > 0) {
      await clock.delay(sendAfterMs)
      const batch: Signal[] = [...gathered].slice(0, sendMax).map((path) => ({ path, node, cause: inotifyCause }))
      for (const { path } of batch) gathered.delete(path)
      try {
        await signals?.send(root.name, batch)
      } catch (error) {
        gathered.clear()
        telemetry.trouble(error, { root: root.name, role: 'listen' })
      }
    }
    sending = false
  }

  return (path) => {
    if (!signals) return
    gathered.add(path)
    if (!sending) void send()
  }
}
