import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { Signal, Signals } from '../../src/ports/signals.ts'

/** What every adapter of `Signals` does. `open` gives one that reaches the same signals each time within one test file. */
export function signalsContract(name: string, open: () => Promise<Signals>): void {
  const each = (title: string, body: (signals: Signals, root: string, t: ExecutionContext) => Promise<void>): void => {
    test(`${name}: ${title}`, async (t) => {
      const signals = await open()
      try {
        await body(signals, `root-${randomUUID()}`, t)
      } finally {
        await signals.close()
      }
    })
  }

  each('a signal arrives with all it said', async (signals, root, t) => {
    const sent: Signal[] = [
      { path: 'lsb.acct', size: 100_000_000_000_001, node: 'node-a', cause: 'inotify' },
      { path: 'old/a%20b', cause: 'reconcile' },
    ]
    await signals.send(root, sent)
    t.deepEqual(await signals.receive(root, 10), sent)
  })

  each('none are lost between calls, and order holds', async (signals, root, t) => {
    const paths = Array.from({ length: 25 }, (_, i) => `file-${i}`)
    await signals.send(root, paths.slice(0, 20).map(signal))
    const first = await signals.receive(root, 7)
    t.is(first.length, 7)
    await signals.send(root, paths.slice(20).map(signal))
    const got = [...first, ...(await receiveUntil(signals, root, 18))]
    t.deepEqual(
      got.map(({ path }) => path),
      paths,
    )
  })

  each('nothing to receive resolves with nothing', async (signals, root, t) => {
    t.deepEqual(await signals.receive(root, 10), [])
  })

  each('a waiting receiver gets what is sent', async (signals, root, t) => {
    await signals.receive(root, 1)
    const waiting = receiveUntil(signals, root, 1)
    await signals.send(root, [signal('late')])
    t.deepEqual(await waiting, [signal('late')])
  })

  each('each signal goes to one of all receivers', async (signals, root, t) => {
    const other = name === 'memory' ? signals : await open()
    const paths = Array.from({ length: 200 }, (_, i) => `file-${i}`)
    const seen: string[] = []
    const receiver = async (from: Signals): Promise<void> => {
      for (let quiet = 0; seen.length < paths.length && quiet < 5; quiet++) {
        const got = await from.receive(root, 3)
        if (got.length > 0) quiet = 0
        seen.push(...got.map(({ path }) => path))
      }
    }
    const receivers = [receiver(signals), receiver(other), receiver(signals)]
    for (let at = 0; at < paths.length; at += 20) await signals.send(root, paths.slice(at, at + 20).map(signal))
    await Promise.all(receivers)
    t.deepEqual(seen.sort(), [...paths].sort())
    if (other !== signals) await other.close()
  })

  each('roots are apart', async (signals, root, t) => {
    await signals.send(`${root}-a`, [signal('a')])
    await signals.send(`${root}-b`, [signal('b')])
    const [a, b] = await Promise.all([signals.receive(`${root}-a`, 5), signals.receive(`${root}-b`, 5)])
    t.deepEqual([a, b], [[signal('a')], [signal('b')]])
  })

  each('a cause is cut at 64 characters', async (signals, root, t) => {
    await signals.send(root, [{ path: 'a', cause: 'x'.repeat(100) }])
    t.deepEqual(await signals.receive(root, 1), [{ path: 'a', cause: 'x'.repeat(64) }])
  })

  each('closing ends a wait, and later calls are refused', async (signals, root, t) => {
    const waiting = signals.receive(root, 1).catch((error: unknown) => error)
    await signals.close()
    await waiting
    await t.throwsAsync(signals.receive(root, 1), { code: 'redis-unreachable' })
    await t.throwsAsync(signals.send(root, [signal('a')]), { code: 'redis-unreachable' })
  })
}

function signal(path: string): Signal {
  return { path, cause: 'test' }
}

async function receiveUntil(signals: Signals, root: string, count: number): Promise<Signal[]> {
  const got: Signal[] = []
  for (let attempt = 0; got.length < count && attempt < 20; attempt++)
    got.push(...(await signals.receive(root, count - got.length)))
  return got
}
