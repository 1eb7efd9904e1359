/**
 * Virtual time. Everything that waits in a simulated run waits here; between two events all that can run without waiting runs.
 * Events of one moment fire in an order drawn from the seed.
 */

import type { Clock } from '../../src/ports/clock.ts'
import type { Random } from './random.ts'

interface Event {
  at: number
  order: number
  fire(): void
}

export interface Scheduler {
  readonly nowMs: number
  /** Events fired so far. */
  readonly fired: number
  after(ms: number, fire: () => void): void
  sleep(ms: number): Promise<void>
  /** Runs until virtual time `untilMs`. */
  runUntil(untilMs: number): Promise<void>
  /** Runs until the promise settles, or `limitMs` of virtual time are over (then it throws). */
  runWhile(promise: Promise<unknown>, limitMs: number): Promise<void>
  clock(isAlive: () => boolean): Clock
}

/** 2026-03-01T00:00:00Z: where virtual time begins. */
export const epochMs = 1_772_323_200_000

export function openScheduler(random: Random): Scheduler {
  const heap: Event[] = []
  let nowMs = 0
  let fired = 0

  const after = (ms: number, fire: () => void): void =>
    push(heap, { at: nowMs + Math.max(0, ms), order: random.next(), fire })
  const sleep = (ms: number): Promise<void> => new Promise((resolve) => after(ms, resolve))

  const step = async (): Promise<void> => {
    const event = pop(heap) as Event
    nowMs = event.at
    fired++
    event.fire()
    await new Promise<void>((resolve) => setImmediate(resolve))
  }

  return {
    get nowMs() {
      return nowMs
    },
    get fired() {
      return fired
    },
    after,
    sleep,
    async runUntil(untilMs) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      while (heap[0] && heap[0].at <= untilMs) await step()
      nowMs = untilMs
    },
    async runWhile(promise, limitMs) {
      const end = nowMs + limitMs
      const state = { settled: false }
      const settle = (): void => {
        state.settled = true
      }
      promise.then(settle, settle)
      await new Promise<void>((resolve) => setImmediate(resolve))
      while (!state.settled) {
        if (!heap[0] || heap[0].at > end) throw new Error(`nothing came of it within ${limitMs} virtual ms`)
        await step()
      }
      await promise
    },
    clock: (isAlive) => ({
      monotonicMs: () => nowMs,
      wallMs: () => Math.floor(epochMs + nowMs),
      delay: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          after(ms, () => {
            if (isAlive()) resolve()
          })
          signal?.addEventListener('abort', () => resolve(), { once: true })
        }),
    }),
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Event[], event: Event): void {
  heap.push(event)
  let at = heap.length - 1
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!isBefore(heap[at] as Event, heap[parent] as Event)) return
    swap(heap, at, parent)
    at = parent
  }
}

function pop(heap: Event[]): Event | undefined {
  const top = heap[0]
  const last = heap.pop()
  if (top === undefined || last === undefined || heap.length === 0) return top
  heap[0] = last
  for (let at = 0; ; ) {
    const left = 2 * at + 1
    let least = at
    if (left < heap.length && isBefore(heap[left] as Event, heap[least] as Event)) least = left
    if (left + 1 < heap.length && isBefore(heap[left + 1] as Event, heap[least] as Event)) least = left + 1
    if (least === at) return top
    swap(heap, at, least)
    at = least
  }
}

function swap(heap: Event[], a: number, b: number): void {
  const keep = heap[a] as Event
  heap[a] = heap[b] as Event
  heap[b] = keep
}
