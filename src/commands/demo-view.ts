/** What the demonstration shows: on a terminal one picture, redrawn four times a second; elsewhere a line per event and one every five seconds. */

import type { Worker } from '../roles/work.ts'
import { bytesText, counted, countText, table } from './output.ts'

const eventsShown = 8
const filesShown = 12
const barWidth = 24

export interface Tally {
  written: number | null
  records: number
  segments: number
  anomalies: number
  startedMs: number
}

export interface View {
  event(text: string): void
  close(): void
}

interface Shown {
  title: string
  worker: Pick<Worker, 'entries' | 'prover'>
  tally: Tally
  nowMs: () => number
}

export function openView(shown: Shown, stream: NodeJS.WriteStream = process.stdout): View {
  return stream.isTTY ? livingView(shown, stream) : plainView(shown, stream)
}

function plainView({ title, worker, tally, nowMs }: Shown, stream: NodeJS.WriteStream): View {
  const say = (text: string): void =>
    void stream.write(`${secondsText(nowMs() - tally.startedMs).padStart(5)}  ${text}\n`)
  say(title)
  const timer = setInterval(() => say(`${totals(tally)}; ${counted(worker.entries.size, 'file')}`), 5000).unref()
  return { event: say, close: () => clearInterval(timer) }
}

function livingView(shown: Shown, stream: NodeJS.WriteStream): View {
  const events: string[] = []
  let drawn = 0
  const draw = (): void => {
    const lines = picture(shown, events).map((line) => line.slice(0, Math.max(40, stream.columns ?? 80)))
    stream.write(`${drawn > 0 ? `\x1b[${drawn}A` : ''}\x1b[J${lines.join('\n')}\n`)
    drawn = lines.length
  }
  const timer = setInterval(draw, 250).unref()
  draw()
  return {
    event(text) {
      events.push(`${secondsText(shown.nowMs() - shown.tally.startedMs).padStart(5)}  ${text}`)
      events.splice(0, events.length - eventsShown)
    },
    close() {
      clearInterval(timer)
      draw()
    },
  }
}

function picture({ title, worker, tally, nowMs }: Shown, events: readonly string[]): string[] {
  const files = [...worker.entries.all()].sort((a, b) => b.lastChangedMs - a.lastChangedMs)
  const rows = files.slice(0, filesShown).map((entry) => {
    const size = entry.stat?.size ?? 0
    return [
      entry.path,
      bytesText(size),
      bar(size, entry.archived, entry.source === null ? 0 : worker.prover.provenTo(entry.source)),
      entry.state,
    ]
  })
  const more = files.length > filesShown ? [`and ${counted(files.length - filesShown, 'more file')}`] : []
  return [
    `${title}   ${secondsText(nowMs() - tally.startedMs)}   Ctrl-C ends`,
    '',
    ...table(['file', 'size', '░ seen ▒ archived █ proven', 'state'], rows).split('\n'),
    ...more,
    '',
    totals(tally),
    '',
    ...events,
  ]
}

function totals({ written, records, segments, anomalies }: Tally): string {
  const wrote = written === null ? '' : `${countText(written)} records written, `
  return `${wrote}${countText(records)} archived in ${counted(segments, 'segment')}, ${anomalies} anomalies`
}

function bar(size: number, archived: number, proven: number): string {
  if (size === 0) return ''.padEnd(barWidth)
  const cells = (bytes: number): number => Math.min(barWidth, Math.floor((bytes / size) * barWidth))
  const full = cells(proven)
  const half = Math.max(full, cells(archived))
  return '█'.repeat(full) + '▒'.repeat(half - full) + '░'.repeat(barWidth - half)
}

function secondsText(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
