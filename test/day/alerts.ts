/** A real Prometheus on the collector's /metrics, with the rules as fast as the day; and when which alert fired, as it remembers it. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'yaml'
import { freePort } from '../support/redis.ts'
import { startProcess } from '../support/process.ts'
import type { Process } from '../support/process.ts'
import { changes } from './judge.ts'
import type { Telling } from './judge.ts'
import { pacedRules } from './rules.ts'

const rulesFile = new URL('../../infra/prometheus/alerts.yaml', import.meta.url)
/** Of the day: Prometheus' own default. At 100 times as fast a collector that gets no processor for 0.6 s misses one. */
const scrapeMs = 60_000
const lookbackMs = 5 * 60_000
/** So many Prometheus gives at once. */
const stepsMax = 10_000
const quietSteps = 200

export interface Alerts {
  process: Process
  /** Each firing alert by its name, from `beganMs` (of the epoch) on, as tellings since then. */
  tellings(beganMs: number): Promise<Telling[]>
}

export async function startAlerts({
  dir,
  pace,
  target,
}: {
  dir: string
  pace: number
  target: string
}): Promise<Alerts> {
  const [port, data] = [await freePort(), join(dir, 'prometheus')]
  mkdirSync(data)
  const everyMs = Math.round(scrapeMs / pace)
  writeFileSync(join(data, 'alerts.yaml'), pacedRules(readFileSync(rulesFile, 'utf8'), pace))
  const config = {
    global: { scrape_interval: `${everyMs}ms`, scrape_timeout: `${everyMs}ms`, evaluation_interval: `${everyMs}ms` },
    rule_files: ['alerts.yaml'],
    scrape_configs: [{ job_name: 'gleaner', static_configs: [{ targets: [target] }] }],
  }
  writeFileSync(join(data, 'prometheus.yaml'), stringify(config))
  const process = startProcess(
    'prometheus',
    [
      `--config.file=${join(data, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(data, 'tsdb')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      `--query.lookback-delta=${Math.round(lookbackMs / pace)}ms`,
    ],
    { log: join(dir, 'prometheus.log') },
  )
  await process.said('ready to receive web requests')
  const url = `http://127.0.0.1:${port}/api/v1/query_range`
  // It takes some seconds until it knows its targets; an alert that nobody answers is over then.
  await quiet(url, everyMs)
  return { process, tellings: async (beganMs) => tellingsOf(await firing(url, { beganMs, stepMs: everyMs }), everyMs) }
}

/** Until it has asked for ten steps, and nothing fires. */
async function quiet(url: string, stepMs: number): Promise<void> {
  for (let steps = 0; steps < quietSteps; steps++) {
    await delay(stepMs)
    const range = { beganMs: Date.now() - stepMs, stepMs }
    const isScraped = (await asked(url, 'gleaner_build_info', range)).length > 0
    if (isScraped && (await firing(url, range)).every((fires) => fires.size === 0)) return
  }
  throw new Error('Prometheus has seen no collector without alerts')
}

interface Range {
  beganMs: number
  stepMs: number
  steps?: number
}

interface Series {
  metric: { alertname: string }
  values: [seconds: number, value: string][]
}

async function asked(url: string, query: string, { beganMs, stepMs, steps = 2 }: Range): Promise<Series[]> {
  const parameters = new URLSearchParams({
    query,
    start: String(beganMs / 1000),
    end: String((beganMs + (steps - 1) * stepMs) / 1000),
    step: String(stepMs / 1000),
  })
  const answer = await fetch(`${url}?${parameters.toString()}`)
  return ((await answer.json()) as { data: { result: Series[] } }).data.result
}

/** What fires at each step from `beganMs` until now. Alerts of one name with other labels are one. */
async function firing(url: string, { beganMs, stepMs }: Range): Promise<Set<string>[]> {
  const fires = Array.from({ length: Math.floor((Date.now() - beganMs) / stepMs) + 1 }, () => new Set<string>())
  for (let first = 0; first < fires.length; first += stepsMax) {
    const range = { beganMs: beganMs + first * stepMs, stepMs, steps: Math.min(stepsMax, fires.length - first) }
    for (const { metric, values } of await asked(url, 'ALERTS{alertstate="firing"}', range))
      for (const [seconds] of values) fires[Math.round((seconds * 1000 - beganMs) / stepMs)]?.add(metric.alertname)
  }
  return fires
}

function tellingsOf(steps: Set<string>[], stepMs: number): Telling[] {
  return steps.flatMap((fires, index) =>
    changes(steps[index - 1] ?? new Set(), fires).map(
      (change): Telling => ({ by: 'alert', atMs: index * stepMs, ...change }),
    ),
  )
}
