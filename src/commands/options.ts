/** Values of options that several commands take. */

import { GleanerError } from '../errors.ts'

/** A byte offset or count: a whole number from 0 up. */
export function offsetOf(option: string): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
    throw usage(option, 'expected a number of bytes, such as 4096')
  }
}

/** RFC 3339 with its offset, or a date, which begins at 00:00 UTC → ms since 1970. */
export function timeOf(option: string): (text: string) => number {
  return (text) => {
    const isTime = /^\d{4}-\d{2}-\d{2}(?:[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2}))?$/.test(text)
    const ms = isTime ? Date.parse(text) : Number.NaN
    if (!Number.isNaN(ms)) return ms
    throw usage(option, 'expected RFC 3339, such as 2026-03-01T00:00:00Z or 2026-03-01')
  }
}

function usage(option: string, message: string): GleanerError {
  return new GleanerError('usage', { operation: 'read', subject: option, message })
}
