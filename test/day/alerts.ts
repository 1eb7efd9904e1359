/** A real Prometheus on the collector's /metrics, with the rules as fast as the day; and when which alert fired, as it remembers it. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { freePort } from '../support/redis.ts'
import { startProcess } from '../support/process.ts'
import type { Process } from '../support/process.ts'
import { changes } from './judge.ts'
import type { Telling } from './judge.ts'
import { pacedRules } from './rules.ts'

const rulesFile = new URL('../../infra/prometheus/alerts.yaml', import.meta.url)
/** Of the day; Prometheus' own defaults are a minute each. */
const scrapeMs = 30_000
const lookbackMs = 5 * 60_000
/** So many Prometheus gives at once. */
const stepsMax = 10_000

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
  return { process, tellings: async (beganMs) => tellingsOf(await firing(url, { beganMs, stepMs: everyMs }), everyMs) }
}

interface Series {
  metric: { alertname: string }
  values: [seconds: number, value: string][]
}

/** What fires at each step from `beganMs` until now. Alerts of one name with other labels are one. */
async function firing(url: string, { beganMs, stepMs }: { beganMs: number; stepMs: number }): Promise<Set<string>[]> {
  const steps = Array.from({ length: Math.floor((Date.now() - beganMs) / stepMs) + 1 }, () => new Set<string>())
  for (let first = 0; first < steps.length; first += stepsMax) {
    const last = Math.min(steps.length, first + stepsMax) - 1
    const query = new URLSearchParams({
      query: 'ALERTS{alertstate="firing"}',
      start: String((beganMs + first * stepMs) / 1000),
      end: String((beganMs + last * stepMs) / 1000),
      step: String(stepMs / 1000),
    })
    const answer = await fetch(`${url}?${query.toString()}`)
    const { data } = (await answer.json()) as { data: { result: Series[] } }
    for (const { metric, values } of data.result)
      for (const [seconds] of values) steps[Math.round((seconds * 1000 - beganMs) / stepMs)]?.add(metric.alertname)
  }
  return steps
}

function tellingsOf(steps: Set<string>[], stepMs: number): Telling[] {
  return steps.flatMap((fires, index) =>
    changes(steps[index - 1] ?? new Set(), fires).map(
      (change): Telling => ({ by: 'alert', atMs: index * stepMs, ...change }),
    ),
  )
}
