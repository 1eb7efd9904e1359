import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Of playwright-core, what the page's tests use. */
export interface Browser {
  newPage(options?: {
    viewport?: { width: number; height: number }
    colorScheme?: 'light' | 'dark'
    reducedMotion?: 'reduce'
  }): Promise<BrowserPage>
  close(): Promise<void>
}

export interface BrowserPage {
  goto(url: string): Promise<unknown>
  url(): string
  textContent(selector: string): Promise<string | null>
  waitForSelector(selector: string): Promise<unknown>
  fill(selector: string, text: string): Promise<void>
  click(selector: string): Promise<void>
  evaluate<T>(expression: string): Promise<T>
  on(event: 'console', told: (message: { type(): string; text(): string }) => void): void
  on(event: 'pageerror', told: (error: Error) => void): void
  on(event: 'request', told: (request: { url(): string }) => void): void
  close(): Promise<void>
}

interface Playwright {
  chromium: { launch(options: { executablePath: string; args: string[] }): Promise<Browser> }
}

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const require = createRequire(import.meta.url)
const playwright = found('playwright-core')
const axePath = found('axe-core/axe.min.js')

/** Whether there is a Chromium here, and what drives it. */
export const hasBrowser = executablePath !== undefined && playwright !== null && axePath !== null

export async function openBrowser(): Promise<Browser> {
  if (executablePath === undefined || playwright === null) throw new Error('no browser here')
  const { chromium } = require(playwright) as Playwright
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet]
  return chromium.launch({ executablePath, args })
}

/** What axe-core finds on the page as it stands: rule and elements. */
export async function accessibilityFaults(page: BrowserPage): Promise<string[]> {
  if (axePath === null) throw new Error('no axe-core here')
  await page.evaluate(`${readFileSync(axePath, 'utf8')}; undefined`)
  return page.evaluate(
    'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`))',
  )
}

function found(name: string): string | null {
  try {
    return require.resolve(name)
  } catch {
    return null
  }
}
