/**
 * Host names in Slurm's short form: `a,b[01-03,7],r[0-1]n[1-2]-ib` → the names. A list is bounded, since a few forged bytes could
 * stand for thousands of millions of names: a part that would go beyond the bound is left as it was written.
 */

const hostsMax = 16_384
const bracketsMax = 8

export function expandHosts(text: string): string[] {
  const hosts: string[] = []
  for (const part of partsOf(text)) {
    if (hosts.length >= hostsMax) break
    const expanded = part.includes('[') ? expandPart(part, hostsMax - hosts.length) : null
    if (expanded === null) hosts.push(part)
    else for (const host of expanded) hosts.push(host)
  }
  return hosts
}

/** Split at commas outside brackets. */
function partsOf(text: string): string[] {
  if (!text.includes('[')) return text.split(',').filter((part) => part !== '')
  const parts: string[] = []
  let from = 0
  let isInside = false
  for (let at = 0; at <= text.length; at++) {
    const code = at === text.length ? 0x2c : text.charCodeAt(at)
    if (code === 0x5b) isInside = true
    else if (code === 0x5d) isInside = false
    else if (code === 0x2c && (!isInside || at === text.length)) {
      if (at > from) parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return parts
}

/** Null where it is no such form, or stands for more than `max`. */
function expandPart(part: string, max: number): string[] | null {
  if (!/^[^[\]]*(?:\[[^[\]]*\][^[\]]*)+$/.test(part)) return null
  const pieces = part.split(/[[\]]/)
  if (pieces.length > 2 * bracketsMax + 1) return null
  let hosts = [pieces[0] as string]
  for (let index = 1; index < pieces.length; index += 2) {
    const numbers = numbersOf(pieces[index] as string, Math.floor(max / hosts.length))
    if (numbers === null) return null
    const after = pieces[index + 1] as string
    hosts = hosts.flatMap((host) => numbers.map((number) => host + number + after))
  }
  return hosts
}

/** `01-03,7` → 01, 02, 03, 7. */
function numbersOf(text: string, max: number): string[] | null {
  const numbers: string[] = []
  for (const range of text.split(',')) {
    const match = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(range)
    if (!match) return null
    const [, first = '', last = first] = match
    if (Number(last) - Number(first) >= max - numbers.length) return null
    for (let number = Number(first); number <= Number(last); number++)
      numbers.push(String(number).padStart(first.length, '0'))
  }
  return numbers
}

/** How many numbers `1-3,5,10-20:2%4` stands for, without making them; null where it is no such list. */
export function countRange(text: string): number | null {
  let count = 0
  for (const range of text.replace(/%\d{1,9}$/, '').split(',')) {
    const match = /^(\d{1,15})(?:-(\d{1,15})(?::(\d{1,15}))?)?$/.exec(range)
    if (!match) return null
    const [, first = '', last = first, step = '1'] = match
    count += Math.max(0, Math.floor((Number(last) - Number(first)) / Math.max(1, Number(step))) + 1)
  }
  return count <= 2 ** 31 - 1 ? count : null
}
