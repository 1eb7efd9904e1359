/** What a PBS job was given, from attributes that Torque and PBS Pro write differently. */

import { bytesOf, countOf } from './quantity.ts'

/** The value of an attribute, null where it is missing or empty. */
export type Attribute = (key: string) => string | null

/** `n1/0*8+n2/0`, `n1/0-3,5`, `n1/0+n1/1` → the hosts, each once in the order written, and the slots on all of them. */
export function readExecHost(text: string): { hosts: string[]; slots: number } {
  const hosts = new Set<string>()
  let slots = 0
  for (const part of text.split('+')) {
    const slash = part.indexOf('/')
    const host = slash < 0 ? part : part.slice(0, slash)
    if (host === '') continue
    hosts.add(host)
    slots += slash < 0 ? 1 : slotsOf(part.slice(slash + 1))
  }
  return { hosts: [...hosts], slots }
}

function slotsOf(text: string): number {
  const star = text.indexOf('*')
  if (star >= 0) return countOf(text.slice(star + 1)) ?? 1
  let slots = 0
  for (const range of text.split(',')) {
    const [first, last] = range.split('-').map((number) => countOf(number))
    slots += typeof first === 'number' && typeof last === 'number' ? Math.max(1, last - first + 1) : 1
  }
  return slots
}

export interface Resources {
  hosts: string[] | null
  slots: number | null
  nodes: number | null
  gpus: number | null
  memoryRequested: number | null
}

/** What was assigned where the record says it, else what was asked for. */
export function resourcesOf(attribute: Attribute): Resources {
  const execHost = attribute('exec_host')
  const assigned = execHost === null ? null : readExecHost(execHost)
  const asked = (name: string): string | null => attribute(`Resource_List.${name}`)
  const spec = readNodes(asked('nodes') ?? asked('neednodes') ?? '')
  const slots =
    positive(attribute('total_execution_slots')) ??
    positive(attribute('resources_used.ncpus')) ??
    (assigned !== null && assigned.slots > 0 ? assigned.slots : null) ??
    positive(asked('ncpus')) ??
    spec.slots
  const perProcess = bytesOf(asked('pmem'))
  return {
    hosts: assigned && assigned.hosts.length > 0 ? assigned.hosts : null,
    slots: fits(slots),
    nodes: fits(assigned?.hosts.length || positive(attribute('unique_node_count')) || positive(asked('nodect'))),
    gpus: fits(countOf(asked('ngpus')) ?? gpusHeld(attribute('exec_gpus')) ?? spec.gpus ?? countOf(asked('gpu'))),
    memoryRequested: bytesOf(asked('mem')) ?? timesOf(perProcess, slots),
  }
}

/** Torque, `4:ppn=8:gpus=2+n17:ppn=2`: chunks of a number or a host's name with what each has. */
function readNodes(text: string): { slots: number | null; gpus: number | null } {
  let slots: number | null = null
  let gpus: number | null = null
  for (const chunk of text === '' ? [] : text.split('+')) {
    const nodes = countOf(chunk.split(':', 1)[0] ?? null) ?? 1
    const perNode = countOf(/:ppn=(\d+)/.exec(chunk)?.[1] ?? null)
    const gpusPerNode = countOf(/:gpus=(\d+)/.exec(chunk)?.[1] ?? null)
    slots = (slots ?? 0) + nodes * (perNode ?? 1)
    if (gpusPerNode !== null) gpus = (gpus ?? 0) + nodes * gpusPerNode
  }
  return { slots, gpus }
}

function gpusHeld(text: string | null): number | null {
  return text === null ? null : text.split('+').length
}

function positive(text: string | null): number | null {
  const count = countOf(text)
  return count === 0 ? null : count
}

function timesOf(bytes: number | null, slots: number | null): number | null {
  const all = bytes === null || slots === null ? null : bytes * slots
  return Number.isSafeInteger(all) ? all : null
}

/** What a table's INTEGER holds. */
function fits(count: number | null | undefined): number | null {
  return typeof count === 'number' && count <= 2 ** 31 - 1 ? count : null
}
