/**
 * What every Watch does, told through a subject: the watch, and a hand that changes its root. The hand of the inotify adapter
 * changes real files; that of the memory twin fires the events itself.
 */
import type { ExecutionContext, TestFn } from 'ava'
import type { Watch, WatchEvents } from '../../src/ports/watch.ts'

export interface WatchSubject {
  /** A further watch of the same root. */
  open(): Watch
  append(path: string): void
  rename(from: string, to: string): void
  remove(path: string): void
  /** Reads the whole tree: lists, opens, reads, closes. */
  readAll(): void
  dispose(): void
}

export interface Recorder extends WatchEvents {
  paths: string[]
  overflows: number
  errors: Error[]
  /** Resolves once every path was reported since the last `clear`, and gives all that were; fails after 20 s, naming what is missing. */
  seen(...paths: string[]): Promise<string[]>
  /** Resolves once `done` answers true. */
  until(done: () => boolean, what: string): Promise<void>
  clear(): void
}

export function record(): Recorder {
  const bell = new EventTarget()
  const ring = () => bell.dispatchEvent(new Event('event'))
  const recorder: Recorder = {
    paths: [],
    overflows: 0,
    errors: [],
    changed(path) {
      recorder.paths.push(path)
      ring()
    },
    overflow() {
      recorder.overflows++
      ring()
    },
    blind(error) {
      recorder.errors.push(error)
      ring()
    },
    async seen(...paths) {
      const missing = () => paths.filter((path) => !recorder.paths.includes(path))
      await recorder.until(() => missing().length === 0, `paths of ${paths.join(', ')}`)
      return recorder.paths
    },
    until(done, what) {
      if (done()) return Promise.resolve()
      return new Promise((resolve, reject) => {
        const settle = (finish: () => void) => {
          clearTimeout(timer)
          bell.removeEventListener('event', check)
          finish()
        }
        const check = () => {
          if (done()) settle(resolve)
        }
        const timer = setTimeout(() => {
          const got = [...new Set(recorder.paths)].slice(-20).join(', ')
          settle(() => reject(new Error(`never came: ${what}; got ${got}; ${recorder.errors.join(', ')}`)))
        }, 20_000)
        bell.addEventListener('event', check)
      })
    },
    clear() {
      recorder.paths = []
    },
  }
  return recorder
}

export function watchContract(test: TestFn, name: string, make: () => WatchSubject): void {
  /** Runs a case with a started watch, and leaves nothing behind. */
  const watching = (title: string, run: (t: ExecutionContext, given: Given) => Promise<void>) => {
    test(`${name}: ${title}`, async (t) => {
      const subject = make()
      const watch = subject.open()
      const events = record()
      try {
        await watch.start(events)
        let markers = 0
        const settle = async () => {
          const marker = `marker-${markers++}`
          subject.append(marker)
          const before = (await events.seen(marker)).filter((path) => !path.startsWith('marker-'))
          events.clear()
          return [...new Set(before)].toSorted()
        }
        await run(t, { subject, watch, events, settle })
        t.deepEqual(events.errors, [])
      } finally {
        await watch.close()
        subject.dispose()
      }
    })
  }

  watching('a file that is created and appended to is reported', async (t, { subject, settle }) => {
    subject.append('lsb.acct')
    t.deepEqual(await settle(), ['lsb.acct'])
    subject.append('lsb.acct')
    t.deepEqual(await settle(), ['lsb.acct'])
  })

  watching('a rename is reported under both names, a removal under its own', async (t, { subject, settle }) => {
    subject.append('lsb.acct')
    await settle()
    subject.rename('lsb.acct', 'lsb.acct.1')
    t.deepEqual(await settle(), ['lsb.acct', 'lsb.acct.1'])
    subject.remove('lsb.acct.1')
    t.deepEqual(await settle(), ['lsb.acct.1'])
  })

  watching('reading raises nothing', async (t, { subject, events, settle }) => {
    subject.append('old/one')
    subject.append('two')
    await events.seen('old/one', 'two')
    await settle()
    subject.readAll()
    t.deepEqual(await settle(), [])
  })

  watching('nothing is reported after close, and closing again is no error', async (t, { subject, watch, events }) => {
    await watch.close()
    await watch.close()
    const second = subject.open()
    const later = record()
    await second.start(later)
    subject.append('late')
    await later.seen('late')
    await second.close()
    t.deepEqual(events.paths, [])
  })

  test(`${name}: close without start is no error`, async (t) => {
    const subject = make()
    await t.notThrowsAsync(subject.open().close())
    subject.dispose()
  })
}

interface Given {
  subject: WatchSubject
  watch: Watch
  events: Recorder
  /** Gives the paths reported for everything done so far: a marker file, written now, is reported after all that. */
  settle: () => Promise<string[]>
}
