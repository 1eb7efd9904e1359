/** The status page's server-sent events, as a browser hears them: what they say is away, whenever that changes. */

import { changes } from './judge.ts'
import type { Telling } from './judge.ts'

interface Shown {
  roots: { name: string; up: boolean | null }[]
  store: { failing: boolean }
  redis: { failing: boolean }
  troubles: { code: string }[]
}

export interface Page {
  tellings: Telling[]
  /** Every trouble that was shown, by its code. */
  troubles: Set<string>
  snapshots(): number
  close(): Promise<void>
}

export async function watchPage(url: string, nowMs: () => number): Promise<Page> {
  const stopping = new AbortController()
  const tellings: Telling[] = []
  const troubles = new Set<string>()
  let away = new Set<string>()
  let snapshots = 0
  const response = await fetch(`${url}/events`, { signal: stopping.signal })
  if (!response.ok || response.body === null) throw new Error(`/events: ${response.status}`)
  const heard = (shown: Shown): void => {
    const now = awayIn(shown)
    snapshots++
    for (const { code } of shown.troubles) troubles.add(code)
    for (const change of changes(away, now)) tellings.push({ by: 'page', atMs: nowMs(), ...change })
    away = now
  }
  const reading = read(response.body, heard).catch((error: unknown) => {
    if (!stopping.signal.aborted) throw error
  })
  // It is waited for at the end; until then a failure is kept.
  reading.catch(() => undefined)
  return {
    tellings,
    troubles,
    snapshots: () => snapshots,
    async close() {
      stopping.abort()
      await reading
    },
  }
}

async function read(body: AsyncIterable<Uint8Array>, heard: (shown: Shown) => void): Promise<void> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const data = event.split('\n').find((line) => line.startsWith('data: '))
      if (data !== undefined) heard(JSON.parse(data.slice(6)) as Shown)
    }
  }
}

function awayIn({ roots, store, redis }: Shown): Set<string> {
  const down = roots.filter(({ up }) => up === false).map(({ name }) => `root ${name}`)
  return new Set([...down, ...(store.failing ? ['store'] : []), ...(redis.failing ? ['redis'] : [])])
}
