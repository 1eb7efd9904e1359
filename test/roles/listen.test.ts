import test from 'ava'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openMemorySignals } from '../../src/adapters/memory-signals.ts'
import { openMemoryWatch } from '../../src/adapters/memory-watch.ts'
import { systemClock } from '../../src/adapters/system-clock.ts'
import type { Files } from '../../src/ports/files.ts'
import type { Signal, Signals } from '../../src/ports/signals.ts'
import { listen } from '../../src/roles/listen.ts'
import { openThrottle } from '../../src/roles/throttle.ts'
import { openWorker } from '../../src/roles/work.ts'
import { openRoot } from '../support/root-context.ts'

test('what this process hears it reads once, though it tells the others too; what another node or a program signals it reads', async (t) => {
  const { context, path } = openRoot(t)
  const stream = openMemorySignals({ clock: systemClock })
  const sent: Signal[] = []
  const signals: Signals = { ...stream, send: (root, some) => (sent.push(...some), stream.send(root, some)) }
  const looks: string[] = []
  const files: Files = {
    ...context.files,
    look(name, request) {
      looks.push(name)
      return context.files.look(name, request)
    },
  }
  const heard = { ...context, files, signals }
  const worker = openWorker(heard, { inFlight: openThrottle(1e8), listens: true })
  worker.setRemote(false)
  const stop = new AbortController()
  const watch = openMemoryWatch()
  const running = [
    worker.run(stop.signal),
    listen(heard, { worker, openWatch: () => watch, askFull: () => undefined }, stop.signal),
  ]
  const looksAfter = async (act: () => Promise<void> | void): Promise<number> => {
    looks.length = 0
    await act()
    await delay(100)
    await worker.caughtUp(0)
    return looks.length
  }
  await writeFile(join(path, 'a'), 'one\n')
  await looksAfter(() => watch.changed('a'))
  sent.length = 0
  const once = await looksAfter(async () => {
    await appendFile(join(path, 'a'), 'two\n')
    watch.changed('a')
  })
  t.true(once >= 1)
  t.deepEqual(sent, [{ path: 'a', node: context.node, cause: 'inotify' }])
  const more = (node: string, cause: string) =>
    looksAfter(async () => {
      await appendFile(join(path, 'a'), 'more\n')
      await signals.send('r', [{ path: 'a', node, cause }])
    })
  t.is(await more(context.node, 'inotify'), 0)
  t.true((await more('another', 'inotify')) > 0)
  t.true((await more(context.node, 'billing')) > 0)
  stop.abort()
  await signals.close()
  await Promise.all(running)
})
