/**
 * One ad in the old ClassAd syntax: lines `Attr = value`, perhaps a footer. An attribute that comes twice counts as it came last.
 *
 *     "text"       `\"` is a quote, any other backslash is itself; a line end inside is part of it
 *     12  1.5      numbers; an integer beyond 2^53 as text
 *     TRUE FALSE   in any case
 *     UNDEFINED    null
 *     other        an expression, as it is written
 *
 * What the footer says is taken where the ad does not say it.
 */

import { numberOf, putField } from './values.ts'

export interface Ad {
  fields: Record<string, unknown>
  type: string
  error: string
}

const attribute = /^([A-Za-z_][\w.]*) ?= ?/
const footerPair = / ([A-Za-z_]\w*) ?= ?("(?:[^"\\]|\\.)*"|[^\s"]+)/g
const footerWhole = /^\*\*\*(?: [A-Za-z_]\w*\b(?! ?=))?(?: [A-Za-z_]\w* ?= ?(?:"(?:[^"\\]|\\.)*"|[^\s"]+))+ ?\r?$/
const footerLast = / (?:CompletionDate|CurrentTime) ?= ?[^\s"=]+ ?\r?$/
const footerJob = / (?:Offset|ClusterId) ?= ?/

/** Whether a line, without its newline, is a whole footer: it names the ad or its job, and ends with a time. */
export function isFooter(line: string): boolean {
  return line.startsWith('*** ') && footerLast.test(line) && footerJob.test(line) && footerWhole.test(line)
}

/** What a footer says, texts without their quotes. */
export function footerKeys(line: string): Record<string, string> {
  const keys: Record<string, string> = {}
  for (const [, name, value] of line.matchAll(footerPair))
    keys[name as string] = (value as string).replace(/^"(.*)"$/s, '$1')
  return keys
}

export function parseAd(text: string): Ad {
  const fields: Record<string, unknown> = {}
  const whole = text.endsWith('\n') ? text.slice(0, -1) : text
  const lastLine = whole.lastIndexOf('\n') + 1
  const footer = isFooter(whole.slice(lastLine)) ? footerKeys(whole.slice(lastLine)) : null
  const end = footer === null ? whole.length : lastLine - 1
  let error = ''
  for (let at = 0; at < end; ) {
    const stop = endOfLine(whole, at, end)
    const line = lineOf(whole, at, stop)
    const name = attribute.exec(line)
    if (name === null) {
      error ||= 'not-an-attribute'
      at = stop + 1
      continue
    }
    const value = line.slice(name[0].length)
    const isOpen = value.startsWith('"') && closingQuote(value) < 0
    const joined = isOpen ? joinedString(whole, { from: at + name[0].length, stop, end }) : null
    if (isOpen && joined === null) error ||= 'unclosed-string'
    putField(fields, name[1] as string, joined === null ? valueOf(value) : joined.value)
    at = (joined?.stop ?? stop) + 1
  }
  const isOther = footer !== null && !isSameJob(fields, footer)
  return {
    type: typeOf(fields, whole.slice(lastLine), footer !== null),
    error: isOther ? 'two-ads' : error || (footer === null && !isNamed(fields) ? 'no-footer' : ''),
    fields: withFooter(fields, footer),
  }
}

function endOfLine(text: string, from: number, end: number): number {
  const at = text.indexOf('\n', from)
  return at < 0 || at > end ? end : at
}

function lineOf(text: string, from: number, stop: number): string {
  return text.slice(from, text.charCodeAt(stop - 1) === 13 ? stop - 1 : stop)
}

/** The quote that ends the string at the start of `value`, or -1. One at the very end ends it, whatever stands before. */
function closingQuote(value: string): number {
  for (let at = value.indexOf('"', 1); at >= 0; at = value.indexOf('"', at + 1)) {
    if (value[at - 1] !== '\\' || at === value.length - 1) return at
  }
  return -1
}

/** A string that holds line ends: its closing quote must end a line. */
function joinedString(
  text: string,
  { from, stop, end }: { from: number; stop: number; end: number },
): { value: string; stop: number } | null {
  for (let at = text.indexOf('"', stop); at >= 0 && at < end; at = text.indexOf('"', at + 1)) {
    const after = endOfLine(text, at, end)
    const isLast = lineOf(text, from, after).length === at + 1 - from
    if (!isLast && text[at - 1] === '\\') continue
    return isLast ? { value: unescaped(text.slice(from + 1, at)), stop: after } : null
  }
  return null
}

function valueOf(value: string): unknown {
  if (value.startsWith('"') && closingQuote(value) === value.length - 1) return unescaped(value.slice(1, -1))
  const number = numberOf(value)
  if (number !== null) return number
  const word = value.length <= 9 ? value.toLowerCase() : ''
  if (word === 'true' || word === 'false') return word === 'true'
  return word === 'undefined' ? null : value
}

function unescaped(text: string): string {
  return text.includes('\\"') ? text.replaceAll('\\"', '"') : text
}

/** An ad without a footer must say what it is of, else any file of `name = value` would be one. */
function isNamed(fields: Record<string, unknown>): boolean {
  return ['MyType', 'ClusterId', 'GlobalJobId'].some((name) => Object.hasOwn(fields, name))
}

function isSameJob(fields: Record<string, unknown>, footer: Record<string, string>): boolean {
  return ['ClusterId', 'ProcId'].every((name) => {
    const [said, expected] = [fields[name], footer[name]]
    return said === undefined || expected === undefined || !/^\d+$/.test(expected) || said === numberOf(expected)
  })
}

/** The kind of ad that its footer names, else what the ad says, else `Job`. */
function typeOf(fields: Record<string, unknown>, lastLine: string, isFooted: boolean): string {
  const kind = isFooted ? /^\*\*\* ([A-Za-z_]\w*)\b(?! ?=)/.exec(lastLine)?.[1] : undefined
  if (kind !== undefined && kind !== 'JOB') return kind.slice(0, 64)
  const own = fields['MyType']
  return typeof own === 'string' && own !== '' ? own.slice(0, 64) : 'Job'
}

function withFooter(fields: Record<string, unknown>, footer: Record<string, string> | null): Record<string, unknown> {
  for (const [name, text] of Object.entries(footer ?? {})) {
    if (!Object.hasOwn(fields, name)) fields[name] = numberOf(text) ?? text
  }
  return fields
}
