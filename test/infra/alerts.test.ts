/** Alerts and dashboard speak of metrics that there are; the alerts fire and clear, by Prometheus' own tool where it is there. */

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { pino } from 'pino'
import { parse } from 'yaml'
import { openTelemetry } from '../../src/adapters/telemetry.ts'

const infra = fileURLToPath(new URL('../../infra/', import.meta.url))
const read = (path: string): string => readFileSync(`${infra}${path}`, 'utf8')

/** Fixed by contract, whether or not this process makes them: the records that subscribers have not read, and who reconciles. */
const contracted = ['gleaner_feed_lag_records', 'gleaner_reconcilers']

interface Rule {
  alert: string
  expr: string
  for?: string
  labels: { severity: string }
  annotations: { summary: string; description: string }
}

interface Panel {
  title: string
  gridPos: { h: number; w: number; x: number; y: number }
  datasource: { uid: string }
  targets?: { expr: string }[]
}

async function known(): Promise<Set<string>> {
  const telemetry = openTelemetry({ log: pino({ level: 'silent' }), node: 'n', version: '0' })
  const text = await telemetry.metrics()
  return new Set([...contracted, ...[...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '')])
}

/** A histogram is named by its parts. */
function metricsIn(expression: string): string[] {
  return [...expression.matchAll(/gleaner_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
}

const rules = (parse(read('prometheus/alerts.yaml')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  ({ rules }) => rules,
)

test('every alert asks for metrics that there are, and says what happened and what to do', async (t) => {
  const there = await known()
  for (const { alert, expr, labels, annotations } of rules) {
    const unknown = metricsIn(expr).filter((name) => !there.has(name))
    t.deepEqual(unknown, [], alert)
    t.true(metricsIn(expr).length > 0, alert)
    t.true(['critical', 'warning'].includes(labels.severity), alert)
    t.truthy(annotations.summary, alert)
    t.truthy(annotations.description, alert)
  }
})

test('every alert has a test in which it fires, and each of those ends in silence or began with it', (t) => {
  const { tests } = parse(read('prometheus/alerts.test.yaml')) as {
    tests: { name: string; promql_expr_test: { exp_samples: { labels: string }[] }[] }[]
  }
  const fired = tests.flatMap(({ promql_expr_test: asked }) =>
    asked.flatMap(({ exp_samples: samples }) => samples.map(({ labels }) => /alertname="(\w+)"/.exec(labels)?.[1])),
  )
  t.deepEqual(
    rules.map(({ alert }) => alert).filter((alert) => !fired.includes(alert)),
    [],
  )
  for (const { name, promql_expr_test: asked } of tests)
    t.true(asked.length === 1 || asked.at(-1)?.exp_samples.length === 0, name)
})

const promtool = spawnSync('promtool', ['--version']).status === 0 ? test : test.skip

promtool('Prometheus takes the rules, and each alert fires and clears', (t) => {
  t.notThrows(() => execFileSync('promtool', ['check', 'rules', `${infra}prometheus/alerts.yaml`]))
  const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', `${infra}prometheus/alerts.test.yaml`])
  t.is(status, 0, `${stdout.toString()}${stderr.toString()}`)
})

test('the dashboard shows every metric, and only such as there are', async (t) => {
  const { panels } = JSON.parse(read('grafana/dashboard.json')) as { panels: Panel[] }
  const shown = new Set(panels.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricsIn(expr))))
  const there = await known()
  t.deepEqual(
    [...shown].filter((name) => !there.has(name)),
    [],
  )
  t.deepEqual(
    [...there].filter((name) => !shown.has(name)),
    [],
  )
})

test('the dashboard asks the data source and roots that are chosen, and no panel covers another', (t) => {
  const { panels, templating } = JSON.parse(read('grafana/dashboard.json')) as {
    panels: Panel[]
    templating: { list: { name: string }[] }
  }
  t.deepEqual(
    templating.list.map(({ name }) => name),
    ['datasource', 'root'],
  )
  for (const { title, datasource, targets = [] } of panels) {
    t.is(datasource.uid, '${datasource}', title)
    for (const { expr } of targets) if (/by \([^)]*root/.test(expr)) t.true(expr.includes('root=~"$root"'), title)
  }
  const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
    Array.from({ length: h * w }, (_, n) => `${x + (n % w)},${y + Math.floor(n / w)}`),
  )
  t.is(new Set(cells).size, cells.length)
})
