/** The day itself: everything started, the incidents at their times, everything ended, and then asked and counted. */

import { setTimeout as delay } from 'node:timers/promises'
import { startSupport } from '../support/process.ts'
import type { Process } from '../support/process.ts'
import { startAlerts } from './alerts.ts'
import type { Alerts } from './alerts.ts'
import { countDay } from './count.ts'
import type { Count } from './count.ts'
import { judge } from './judge.ts'
import type { Telling, Told } from './judge.ts'
import { watchPage } from './page.ts'
import type { Page } from './page.ts'
import type { Day, Incident } from './plan.ts'
import { hourOf } from './plan.ts'
import { openSite } from './site.ts'
import type { Site } from './site.ts'
import type { Written } from './truth.ts'

export interface Played {
  seconds: number
  /** Real ms from the last line written until all were in the archive and in the stream. */
  caughtUpMs: number
  counts: Count[]
  incidents: Incident[]
  tellings: Telling[]
  told: Told[]
  /** Every trouble that the page has shown, by its code. */
  troubles: string[]
  snapshots: number
  problems: string[]
}

type Say = (text: string) => void

/** What must be true before the day begins, and at its end. */
const quietMs = 100_000

export async function playDay(day: Day, { keep, say }: { keep: boolean; say: Say }): Promise<Played> {
  const site = await openSite(day.pace)
  say(`in ${site.dir}`)
  let isExact = false
  try {
    const played = await playIn(site, day, say)
    isExact = played.problems.length === 0
    return played
  } finally {
    await site.close({ keep: keep || !isExact })
  }
}

async function playIn(site: Site, day: Day, say: Say): Promise<Played> {
  const collector = site.gleaner('collector', 'run')
  await collector.said('"running"')
  const url = /"url":"([^"]+)"/.exec(`${await collector.stdout()}${await collector.stderr()}`)?.[1] ?? ''
  // Told every ten seconds, whatever the pace: until then nobody seems to reconcile.
  await until(async () => (await metric(url, 'gleaner_reconcilers')) >= 2, 'both roots have their passes')
  const alerts = await startAlerts({ dir: site.dir, pace: day.pace, target: new URL(url).host })
  site.track(alerts.process)
  const batch = site.track(
    startSupport('../day/batch.ts', [JSON.stringify(day), ...site.disks], { log: `${site.dir}/batch` }),
  )
  await batch.said('writing')
  const beganMs = Date.now()
  const nowMs = (): number => Date.now() - beganMs
  const page = await watchPage(url, nowMs)
  const incidents = await befall(site, day, { nowMs, say })
  await batch.ended
  const written = JSON.parse(await batch.stdout()) as Written
  const caughtUpMs = await caughtUp(site, written, url)
  say(`${hourOf(day, nowMs())}: all of ${written.lines} lines are collected`)
  // What the alerts look back at goes by.
  await delay((20 * 60_000) / day.pace)
  return ended({ site, day: { ...day, incidents }, collector, page, alerts, written, caughtUpMs, beganMs })
}

/** Gives when each really began and ended. */
async function befall(site: Site, day: Day, { nowMs, say }: { nowMs: () => number; say: Say }): Promise<Incident[]> {
  const happened: Incident[] = []
  for (const { what, fromMs, toMs } of day.incidents) {
    await delay(Math.max(0, fromMs - nowMs()))
    const from = nowMs()
    say(`${hourOf(day, from)}: ${what} goes`)
    await site.take(what)
    await delay(Math.max(0, from + toMs - fromMs - nowMs()))
    const to = nowMs()
    await site.bring(what)
    say(`${hourOf(day, nowMs())}: ${what} is back`)
    happened.push({ what, fromMs: from, toMs: to })
  }
  return happened
}

/** Until the stream has as many entries as lines were written, and nothing waits to be archived. */
async function caughtUp(site: Site, { lines }: Written, url: string): Promise<number> {
  const beganMs = performance.now()
  const isPublished = async (): Promise<boolean> => {
    const lengths = await Promise.all(
      ['cluster1', 'cluster2'].map((root) => site.client.xlen(`{gleaner:${root}}:records`)),
    )
    return lengths.reduce((sum, one) => sum + one) >= lines
  }
  await until(isPublished, 'all lines are published')
  const publishedMs = performance.now() - beganMs
  await until(async () => (await metric(url, 'gleaner_unarchived_bytes')) === 0, 'all bytes are archived')
  return Math.round(publishedMs)
}

async function ended(over: {
  site: Site
  day: Day
  collector: Process
  page: Page
  alerts: Alerts
  written: Written
  caughtUpMs: number
  beganMs: number
}): Promise<Played> {
  const { site, day, collector, page, alerts, written, caughtUpMs, beganMs } = over
  const seconds = Math.round((Date.now() - beganMs) / 1000)
  const tellings = [...page.tellings, ...(await alerts.tellings(beganMs))].sort((a, b) => a.atMs - b.atMs)
  await page.close()
  const { told, problems } = judge(day, tellings)
  collector.kill('SIGTERM')
  const status = await collector.ended
  if (status !== 0) problems.push(`the collector ended with ${status}`)
  problems.push(...(await asked(site)))
  const counts = await countDay(written, site)
  problems.push(...counts.flatMap((count) => count.problems))
  const sum = (of: 'written' | 'archived' | 'published'): number =>
    counts.reduce((total, count) => total + count[of], 0)
  if (sum('written') !== day.records || sum('archived') !== day.records || sum('published') !== day.records)
    problems.push(
      `${day.records} lines: ${sum('written')} written, ${sum('archived')} archived, ${sum('published')} published`,
    )
  const snapshots = page.snapshots()
  return {
    seconds,
    caughtUpMs,
    counts,
    incidents: day.incidents,
    tellings,
    told,
    troubles: [...page.troubles].sort(),
    snapshots,
    problems,
  }
}

/** What the commands say afterwards. */
async function asked(site: Site): Promise<string[]> {
  const verify = site.gleaner('verify', '--json', 'verify', '--files')
  const problems =
    (await verify.ended) === 0 ? [] : [`verify --files: ${await verify.stdout()}${await verify.stderr()}`]
  const anomalies = site.gleaner('anomalies', '--json', 'anomalies', '--open')
  await anomalies.ended
  const open = JSON.parse(await anomalies.stdout()) as { kind: string; detail: string }[]
  return [...problems, ...open.map(({ kind, detail }) => `anomaly ${kind}: ${detail}`)]
}

/** The sum of a metric over its labels. */
async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const values = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

async function until(check: () => Promise<boolean>, what: string): Promise<void> {
  for (const endMs = performance.now() + quietMs; !(await check()); await delay(100))
    if (performance.now() > endMs) throw new Error(`waited ${quietMs / 1000} s in vain until ${what}`)
}
