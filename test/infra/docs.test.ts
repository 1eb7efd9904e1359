/** The pages: their links lead somewhere, the commands and options in them exist, and every kind of anomaly has its entry. */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { anomalyRemedies } from '../../src/core/anomaly.ts'
import { runGleaner } from '../support/run-gleaner.ts'

const project = fileURLToPath(new URL('../../', import.meta.url))
const pages = ['README.md', ...globSync('{infra,src}/**/*.md', { cwd: project })]
const textOf = (page: string): string => readFileSync(join(project, page), 'utf8')
const headings = (text: string): string[] => [...text.matchAll(/^#+ (.+)$/gm)].map(([, title]) => title ?? '')

/** As GitHub makes it: lower case, no punctuation, a dash for each space. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

test('every link to a page, a file or a heading of the project leads there', (t) => {
  t.true(pages.length > 10)
  for (const page of pages) {
    for (const [, link] of textOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (link === undefined || /^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : relative(project, join(project, dirname(page), path))
      t.true(existsSync(join(project, target)), `${page}: ${link}`)
      if (anchor !== undefined) t.true(headings(textOf(target)).map(anchorOf).includes(anchor), `${page}: ${link}`)
    }
  }
})

test('every page is reached from the README', (t) => {
  const reached = new Set(['README.md'])
  for (const page of reached)
    for (const [, path] of textOf(page).matchAll(/\]\(([^)\s#]+\.md)/g))
      if (path !== undefined && !path.includes(':')) reached.add(join(dirname(page), path))
  t.deepEqual(
    pages.filter((page) => !reached.has(page)),
    [],
  )
})

test('every kind of anomaly has its entry, in the same order', (t) => {
  const entries = [...textOf('infra/ANOMALIES.md').matchAll(/^## (.+)$/gm)].map(([, title = '']) => title)
  t.deepEqual(entries, Object.keys(anomalyRemedies))
})

test('every command and option that a page names exists', async (t) => {
  const { stdout } = await runGleaner(['completion', 'bash'])
  const offered = new Map(
    [...stdout.toString().matchAll(/^ {4}'([a-z ]*)'\) offered='(.*)' ;;$/gm)].map(([, name = '', words = '']) => [
      name,
      words.split(' '),
    ]),
  )
  const everywhere = offered.get('') ?? []
  t.true(everywhere.includes('reconcile'))
  for (const page of pages) {
    for (const [line, words] of invocations(textOf(page))) {
      const two = offered.has(words.slice(0, 2).join(' ')) ? 2 : 1
      const known = offered.get(words.slice(0, two).join(' '))
      t.truthy(known, `${page}: ${line}`)
      for (const option of words.slice(two).filter((word) => word.startsWith('--')))
        t.true([...(known ?? []), ...everywhere].includes(option), `${page}: ${option} in ${line}`)
    }
  }
})

/** `gleaner COMMAND ...` in code, up to what ends a command, with the words after the program. */
function invocations(text: string): [line: string, words: string[]][] {
  const fenced = [...text.matchAll(/^```.*\n([\s\S]*?)^```/gm)].flatMap(([, block = '']) => block.split('\n'))
  const inline = [...text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
  return [...fenced, ...inline].flatMap((line) =>
    [
      ...line.matchAll(
        /(?:^|[|;(&/] ?|-- )gleaner ((?:--(?:config|log-level) \S+ |--json )*)([a-z]+(?![\w.:-])[^|)#>;&]*)/g,
      ),
    ].map(([, , rest = '']): [string, string[]] => [
      line,
      rest
        .replaceAll(/"[^"]*"|'[^']*'/g, 'X')
        .trim()
        .split(/\s+/),
    ]),
  )
}
