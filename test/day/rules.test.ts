/** The rules that the day runs with are the product's, with every duration divided and nothing else changed. */

import { readFileSync } from 'node:fs'
import test from 'ava'
import { parse } from 'yaml'
import { pacedRules } from './rules.ts'

interface Rule {
  alert: string
  expr: string
  for?: string
}

const text = readFileSync(new URL('../../infra/prometheus/alerts.yaml', import.meta.url), 'utf8')
const rulesOf = (yaml: string): Rule[] => (parse(yaml) as { groups: [{ rules: Rule[] }] }).groups[0].rules

test('every duration is divided: how long, how far back, and what seconds are held against', (t) => {
  const paced = new Map(rulesOf(pacedRules(text, 100)).map((rule) => [rule.alert, rule]))
  t.is(paced.get('GleanerRootDown')?.for, '3000ms')
  t.regex(paced.get('GleanerNoPass')?.expr ?? '', /> 9$/)
  t.regex(paced.get('GleanerUnarchived')?.expr ?? '', /> 18$/)
  t.regex(paced.get('GleanerStoreFails')?.expr ?? '', /\[3000ms\].*> 0\.1 \*.*\[3000ms\]/s)
  t.regex(paced.get('GleanerSubscriberBehind')?.expr ?? '', /> 100000$/)
  for (const { alert, expr, for: lasts = '1ms' } of paced.values()) {
    t.regex(lasts, /^\d+ms$/, alert)
    t.notRegex(expr, /\[\d+[smhd]\]/, alert)
  }
})

test('at the speed of a day nothing is changed but how it is written', (t) => {
  const ms = (duration = '0m'): number => Number.parseInt(duration, 10) * (duration.endsWith('ms') ? 1 : 60_000)
  const written = (expr: string): string => expr.replace(/\[(\d+m?s?)\]/g, (_, duration: string) => `[${ms(duration)}]`)
  const paced = rulesOf(pacedRules(text, 1))
  for (const [index, { alert, expr, for: lasts }] of rulesOf(text).entries()) {
    t.is(written(paced[index]?.expr ?? ''), written(expr), alert)
    t.is(ms(paced[index]?.for), ms(lasts), alert)
  }
})
