/**
 * A JOB_FINISH from its bytes straight to what a table holds: the JSON of its fields, and those few of them that its job is made of. To make
 * all its hundred fields first, and JSON of them then, takes three times as long, and leaves three times its bytes to the garbage collector.
 *
 * Only for a record in which all is as it nearly always is. For any other `directFields` gives null, and it is for `parse` to say what it is:
 * malformed, of another type, of a derivative, with control characters or numbers that JavaScript would write in another way, an array, or
 * with fields that are not known. What is given is to the byte what `parse` and `JSON.stringify` give.
 */

import { isAscii, isUtf8 } from 'node:buffer'
import type { Fields } from './lsf-fields.ts'
import type { JsonPiece } from './lsf-json.ts'
import { JsonTokens, pieceOf } from './lsf-json.ts'

export interface DirectFields {
  /** UTF-8. */
  json: Uint8Array
  /** Those that `jobOfFields` looks at. */
  fields: Fields
}

type Kind = 'string' | 'integer' | 'decimal' | 'word' | 'any' | 'strings' | 'objects'

interface Field {
  name: string
  /** What stands before its value. */
  key: JsonPiece
  kind: Kind
  /** Of objects. */
  fields: readonly Field[]
}

/** `name` or `name:kind` each, where it is another kind; a list is counted by the integer before it. */
function fieldsOf(kind: Kind, names: string, fields: readonly Field[] = []): Field[] {
  return names.split(' ').map((name) => ({ name, key: pieceOf(`,"${name}":`), kind, fields }))
}

/** Of the fields of one object, the first has no comma before it. */
function object(...fields: Field[]): Field[] {
  return fields.map((field, index) => (index === 0 ? { ...field, key: pieceOf(`"${field.name}":`) } : field))
}

const s = (names: string): Field[] => fieldsOf('string', names)
const i = (names: string): Field[] => fieldsOf('integer', names)
const d = (names: string): Field[] => fieldsOf('decimal', names)
const strings = (name: string): Field[] => fieldsOf('strings', name)
const objects = (name: string, ...fields: Field[]): Field[] => fieldsOf('objects', name, object(...fields))
const pair = (): Field[] => fieldsOf('any', 'key value')
const host = (): Field[] => fieldsOf('word', 'host')

/** The order of lsf-fields.ts; a test holds both together. */
// biome-ignore format: rows of a table
const needed: readonly Field[] = [
  ...s('eventType version'), ...i('eventTime jobId userId options numProcessors submitTime beginTime termTime startTime'),
  ...s('userName queue resReq dependCond preExecCmd fromHost cwd inFile outFile errFile jobFile'),
  ...i('numAskedHosts'), ...strings('askedHosts'), ...i('numExHosts'), ...strings('execHosts'),
  ...i('jStatus'), ...d('hostFactor'), ...s('jobName command'),
  ...d('ru_utime ru_stime ru_maxrss ru_ixrss ru_ismrss ru_idrss ru_isrss ru_minflt ru_majflt ru_nswap ru_inblock ru_oublock'),
  ...d('ru_ioch ru_msgsnd ru_msgrcv ru_nsignals ru_nvcsw ru_nivcsw ru_exutime'),
  ...s('mailUser projectName'), ...i('exitStatus maxNumProcessors'), ...s('loginShell timeEvent'),
  ...i('idx maxRMem maxRSwap'), ...s('inFileSpool commandSpool'),
]

/** A record may end before any of these. */
// biome-ignore format: rows of a table
const more: readonly Field[] = [
  ...s('rsvId sla'), ...i('exceptMask'), ...s('additionalInfo'), ...i('exitInfo'), ...s('warningAction'), ...i('warningTimePeriod'),
  ...s('chargedSAAP licenseProject app postExecCmd'), ...i('runtimeEstimation'), ...s('jobGroupName requeueEValues'), ...i('options2'),
  ...s('resizeNotifyCmd'), ...i('lastResizeTime'), ...s('rsvId2 jobDescription'),
  ...i('numSubmitExt'), ...objects('submitExt', ...i('key'), ...s('value')),
  ...i('numHostRusage'),
  ...objects('hostRusage', ...host(), ...d('mem swap utime stime'), ...i('numExt'), ...objects('ext', ...pair())),
  ...i('runLimit options3 avgMem'), ...s('effectiveResReq srcCluster'), ...i('srcJobId'), ...s('dstCluster'), ...i('dstJobId forwardTime'),
  ...s('flow_id'), ...i('acJobWaitTime totalProvisionTime'), ...s('outdir'), ...i('runTime'), ...s('subcwd'),
  ...i('num_network'), ...objects('network', ...s('networkID'), ...i('num_window')), ...s('affinity'),
  ...d('serial_job_energy cpi gips gbs gflops'), ...i('numAllocSlots'), ...strings('allocSlots'), ...i('ineligiblePendTime'),
  ...i('indexRangeCnt'), ...objects('indexRange', ...i('start end step')), ...i('requeueTime'),
  ...i('numGPURusages'), ...objects('gpuRusage', ...host(), ...i('numKVP'), ...objects('kvp', ...pair())),
  ...i('storageInfoC'), ...strings('storageInfoV'), ...i('numKVP'), ...objects('kvp', ...s('key value')),
]

const all = object(...needed, ...more)

/** Longer ones may take their time. */
const recordBytesMax = 32 * 1024
/** The JSON of a record is at most so many times as long: three bare digits and their blanks are an index range. */
const growthMax = 20
const keysBytesMax = 8192
const spaceBytes = 1024 * 1024
const comma = 0x2c
const quote = 0x22
const braces = [0x7b, 0x7d] as const
const brackets = [0x5b, 0x5d] as const

let space: Uint8Array = new Uint8Array(0)
let used = 0
/** Of each field of `all` in the last record: its number, and where its string or its list stands. */
const numbers = new Float64Array(all.length)
const froms = new Int32Array(all.length)
const untils = new Int32Array(all.length)

/** `line`: a record without its newline. */
export function directFields(line: Buffer): DirectFields | null {
  if (line.length > recordBytesMax) return null
  const isPlain = isAscii(line)
  if (!isPlain && !isUtf8(line)) return null
  const need = line.length * growthMax + keysBytesMax
  if (space.length - used < need) [space, used] = [Buffer.allocUnsafeSlow(Math.max(spaceBytes, need)), 0]
  const tokens = new JsonTokens(line, space, used)
  const count = readRecord(tokens)
  if (count === null || !isJobFinish(line) || numbers[at.idx] === -1) return null
  const json = space.subarray(used, tokens.to)
  used = tokens.to
  return { json, fields: jobFields(line, isPlain ? line.toString('latin1') : null, count) }
}

/** How many fields it has. */
function readRecord(tokens: JsonTokens): number | null {
  const { out } = tokens
  out[tokens.to++] = braces[0]
  let count = 0
  for (; count < all.length; count++) {
    const field = all[count] as Field
    const isList = field.kind === 'strings' || field.kind === 'objects'
    if (tokens.isDone && count >= needed.length && !isList) break
    tokens.write(field.key)
    const from = tokens.at
    if (!readValue(tokens, field)) return null
    numbers[count] = tokens.value
    froms[count] = isList ? from : tokens.from
    untils[count] = isList ? tokens.at : tokens.until
  }
  out[tokens.to++] = braces[1]
  return tokens.isDone ? count : null
}

function readValue(tokens: JsonTokens, field: Field): boolean {
  switch (field.kind) {
    case 'string':
      return tokens.string()
    case 'integer':
      return tokens.integer()
    case 'decimal':
      return tokens.decimal()
    case 'word':
      return tokens.word()
    case 'any':
      return tokens.any()
    default:
      return readList(tokens, field)
  }
}

/** As many as the integer before it says; `tokens.value` is their number again afterwards. */
function readList(tokens: JsonTokens, { kind, fields }: Field): boolean {
  const { out } = tokens
  const count = tokens.value
  if (count < 0) return false
  out[tokens.to++] = brackets[0]
  for (let left = count; left > 0; left--) {
    if (left < count) out[tokens.to++] = comma
    if (!(kind === 'strings' ? tokens.string() : readObject(tokens, fields))) return false
  }
  out[tokens.to++] = brackets[1]
  tokens.value = count
  return true
}

function readObject(tokens: JsonTokens, fields: readonly Field[]): boolean {
  tokens.out[tokens.to++] = braces[0]
  for (const field of fields) {
    tokens.write(field.key)
    if (!readValue(tokens, field)) return false
  }
  tokens.out[tokens.to++] = braces[1]
  return true
}

const jobFinish = Buffer.from('JOB_FINISH')
const point = 0x2e
const zero = 0x30

/** By its first two fields; the version of a derivative has no point. */
function isJobFinish(line: Buffer): boolean {
  const [from = 0, until = 0] = [froms[1], untils[1]]
  if (untils[0] !== 1 + jobFinish.length || line.compare(jobFinish, 0, jobFinish.length, 1, untils[0]) !== 0)
    return false
  let points = 0
  for (let place = from; place < until; place++) {
    const byte = line[place] as number
    if (byte === point && place > from && place < until - 1) points++
    else if (byte < zero || byte > zero + 9) return false
  }
  return points === 1
}

type JobField = (typeof jobFieldNames)[number]
// biome-ignore format: rows of a table
const jobFieldNames = [
  'eventTime', 'jobId', 'userId', 'numProcessors', 'submitTime', 'startTime', 'userName', 'queue', 'resReq', 'fromHost', 'execHosts',
  'jStatus', 'jobName', 'command', 'ru_utime', 'ru_stime', 'ru_maxrss', 'projectName', 'exitStatus', 'idx', 'maxRMem', 'exitInfo',
  'jobGroupName', 'allocSlots',
] as const
/** Where each is in `all`. */
const at = Object.fromEntries(
  jobFieldNames.map((name) => [name, all.findIndex((field) => field.name === name)]),
) as Record<JobField, number>

/** `ascii`: the line as text, where each of its bytes is a character. */
function jobFields(line: Buffer, ascii: string | null, count: number): Fields {
  const number = (index: number): number | undefined => (index < count ? numbers[index] : undefined)
  const text = (index: number): string | undefined => (index < count ? textOf(line, ascii, index) : undefined)
  const executed = hostsOf(line, at.execHosts)
  // Mostly the same bytes: then the same list.
  const allocated = at.allocSlots >= count ? undefined : isSameList(line) ? executed : hostsOf(line, at.allocSlots)
  // biome-ignore format: rows of a table
  return {
    eventTime: number(at.eventTime), jobId: number(at.jobId), userId: number(at.userId), numProcessors: number(at.numProcessors),
    submitTime: number(at.submitTime), startTime: number(at.startTime), userName: text(at.userName), queue: text(at.queue),
    resReq: text(at.resReq), fromHost: text(at.fromHost), execHosts: executed, jStatus: number(at.jStatus),
    jobName: text(at.jobName), command: text(at.command), ru_utime: number(at.ru_utime), ru_stime: number(at.ru_stime),
    ru_maxrss: number(at.ru_maxrss), projectName: text(at.projectName), exitStatus: number(at.exitStatus), idx: number(at.idx),
    maxRMem: number(at.maxRMem), exitInfo: number(at.exitInfo), jobGroupName: text(at.jobGroupName), allocSlots: allocated,
  }
}

function textOf(line: Buffer, ascii: string | null, index: number): string {
  return textWithin(line, ascii, [froms[index] as number, untils[index] as number])
}

function textWithin(line: Buffer, ascii: string | null, [from, until]: readonly [number, number]): string {
  if (from === until) return ''
  const text = ascii === null ? line.toString('utf8', from, until) : ascii.slice(from, until)
  return text.includes('""') ? text.replaceAll('""', '"') : text
}

function isSameList(line: Buffer): boolean {
  const [from, until] = [froms[at.execHosts] as number, untils[at.execHosts] as number]
  const [other, otherUntil] = [froms[at.allocSlots] as number, untils[at.allocSlots] as number]
  return otherUntil - other === until - from && isSame(line, other, [from, until])
}

/** Whether the bytes from `other` on are those of a range. */
function isSame(line: Buffer, other: number, [from, until]: readonly [number, number]): boolean {
  for (let place = from; place < until; place++) if (line[place] !== line[place - from + other]) return false
  return true
}

/** The strings of a list. A host stands there once for each of its slots: then it is the same string. */
function hostsOf(line: Buffer, index: number): string[] {
  const texts: string[] = []
  let text = ''
  let last: [from: number, until: number] = [0, 0]
  let place = froms[index] as number
  for (let left = numbers[index] as number; left > 0; left--) {
    while (line[place] !== quote) place++
    const from = place + 1
    const until = from + last[1] - last[0]
    const isLast = line[until] === quote && line[until + 1] !== quote && texts.length > 0 && isSame(line, from, last)
    if (!isLast) {
      last = [from, endOfString(line, from)]
      text = textWithin(line, null, last)
    }
    texts.push(text)
    place = from + last[1] - last[0] + 1
  }
  return texts
}

/** Where the quote is that ends it. */
function endOfString(line: Buffer, from: number): number {
  let place = from
  while (line[place] !== quote || line[place + 1] === quote) place += line[place] === quote ? 2 : 1
  return place
}
