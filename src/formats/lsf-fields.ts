/**
 * The fields of JOB_FINISH, in the order in which they are written.
 *
 * Every version of LSF writes the same order and each ends somewhere, so the version is never looked at: a record may end before any field
 * after `commandSpool`, but not within a counted group. What follows the last known field is kept as a list, `extra`. The order was
 * walked by type over 1289 real records, of 5.1 to 10.108; where published lists differ (options3 before runLimit), real values
 * decided. Derivatives of openlava, whose version is an integer, write another layout.
 */

import type { Integer, Tokens } from './lsf-tokens.ts'

export type Fields = Record<string, unknown>

/** What every record begins with. */
export interface Head {
  eventType: string
  version: string
  eventTime: Integer
}

/** The fields after the head; whether they are what the record says, `tokens.error` tells. */
export function jobFinishFields(head: Head, tokens: Tokens): Fields {
  return /^\d+$/.test(head.version) ? derivativeFields(head, tokens) : lsfFields(head, tokens)
}

/** To the end of 7.06, and of what came before it. */
function lsfFields({ eventType, version, eventTime }: Head, t: Tokens): Fields {
  // Literals as long as the versions allow: the shape of the object is known at once, which is several times cheaper than to add the
  // fields one by one.
  // biome-ignore format: rows of a table
  const fields = {
    eventType, version, eventTime,
    jobId: t.integer(), userId: t.integer(), options: t.integer(), numProcessors: t.integer(),
    submitTime: t.integer(), beginTime: t.integer(), termTime: t.integer(), startTime: t.integer(),
    userName: t.string(), queue: t.string(), resReq: t.string(), dependCond: t.string(), preExecCmd: t.string(),
    fromHost: t.string(), cwd: t.string(), inFile: t.string(), outFile: t.string(), errFile: t.string(), jobFile: t.string(),
    numAskedHosts: t.count(), askedHosts: t.counts(string), numExHosts: t.count(), execHosts: t.counts(string),
    jStatus: t.integer(), hostFactor: t.decimal(), jobName: t.string(), command: t.string(),
    ru_utime: t.decimal(), ru_stime: t.decimal(), ru_maxrss: t.decimal(), ru_ixrss: t.decimal(), ru_ismrss: t.decimal(),
    ru_idrss: t.decimal(), ru_isrss: t.decimal(), ru_minflt: t.decimal(), ru_majflt: t.decimal(), ru_nswap: t.decimal(),
    ru_inblock: t.decimal(), ru_oublock: t.decimal(), ru_ioch: t.decimal(), ru_msgsnd: t.decimal(), ru_msgrcv: t.decimal(),
    ru_nsignals: t.decimal(), ru_nvcsw: t.decimal(), ru_nivcsw: t.decimal(), ru_exutime: t.decimal(),
    mailUser: t.string(), projectName: t.string(), exitStatus: t.integer(), maxNumProcessors: t.integer(),
    loginShell: t.string(), timeEvent: t.string(), idx: t.integer(), maxRMem: t.integer(), maxRSwap: t.integer(),
    inFileSpool: t.string(), commandSpool: t.string(),
    rsvId: t.moreString(), sla: t.moreString(), exceptMask: t.moreInteger(), additionalInfo: t.moreString(),
    exitInfo: t.moreInteger(), warningAction: t.moreString(), warningTimePeriod: t.moreInteger(),
    chargedSAAP: t.moreString(), licenseProject: t.moreString(), app: t.moreString(), postExecCmd: t.moreString(),
    runtimeEstimation: t.moreInteger(), jobGroupName: t.moreString(), requeueEValues: t.moreString(),
    options2: t.moreInteger(), resizeNotifyCmd: t.moreString(), lastResizeTime: t.moreInteger(),
    rsvId2: t.moreString(), jobDescription: t.moreString(),
    numSubmitExt: t.moreCount(), submitExt: t.moreCounts(keyedString),
  }
  if (!t.isDone) return fieldsOf9(fields, t)
  return fields.submitExt === undefined ? withoutAbsent(fields) : fields
}

/** To the end of 9.11. */
function fieldsOf9(before: Fields, t: Tokens): Fields {
  // biome-ignore format: rows of a table
  const fields = {
    ...before,
    numHostRusage: t.count(), hostRusage: t.counts(hostRusage),
    runLimit: t.moreInteger(), options3: t.moreInteger(), avgMem: t.moreInteger(), effectiveResReq: t.moreString(),
    srcCluster: t.moreString(), srcJobId: t.moreInteger(), dstCluster: t.moreString(), dstJobId: t.moreInteger(),
    forwardTime: t.moreInteger(), flow_id: t.moreString(), acJobWaitTime: t.moreInteger(),
    totalProvisionTime: t.moreInteger(), outdir: t.moreString(), runTime: t.moreInteger(), subcwd: t.moreString(),
    num_network: t.moreCount(), network: t.moreCounts(network), affinity: t.moreString(),
  }
  if (!t.isDone) return fieldsOf10(fields, t)
  return fields.affinity === undefined ? withoutAbsent(fields) : fields
}

/** To the end of 10.1, and whatever came later. */
function fieldsOf10(before: Fields, t: Tokens): Fields {
  // biome-ignore format: rows of a table
  const fields: Fields = {
    ...before,
    serial_job_energy: t.decimal(),
    cpi: t.moreDecimal(), gips: t.moreDecimal(), gbs: t.moreDecimal(), gflops: t.moreDecimal(),
    numAllocSlots: t.moreCount(), allocSlots: t.moreCounts(string), ineligiblePendTime: t.moreInteger(),
    indexRangeCnt: t.moreCount(), indexRange: t.moreCounts(indexRange), requeueTime: t.moreInteger(),
    numGPURusages: t.moreCount(), gpuRusage: t.moreCounts(gpuRusage),
  }
  if (fields['gpuRusage'] === undefined) return withoutAbsent(fields)
  if (!t.isDone) {
    fields['storageInfoC'] = t.count()
    fields['storageInfoV'] = t.counts(string)
  }
  if (!t.isDone) {
    fields['numKVP'] = t.count()
    fields['kvp'] = t.counts(pairOfStrings)
  }
  if (!t.isDone) fields['extra'] = t.rest()
  return fields
}

function derivativeFields({ eventType, version, eventTime }: Head, t: Tokens): Fields {
  // biome-ignore format: a row of the table
  const submitted = {
    eventType, version, eventTime,
    jobId: t.integer(), userId: t.integer(), options: t.integer(), numProcessors: t.integer(),
    submitTime: t.integer(), beginTime: t.integer(), termTime: t.integer(), startTime: t.integer(),
    userName: t.string(), queue: t.string(), resReq: t.string(), dependCond: t.string(), preExecCmd: t.string(),
  }
  // postExecCmd is written only where the options say that there is one: then seven strings stand here instead of six.
  const texts: string[] = []
  while (t.isAtString) texts.push(t.string())
  if (texts.length !== 6 && texts.length !== 7) t.refuse(texts.length < 6 ? 'not-a-string' : 'not-a-number')
  const [fromHost, cwd, inFile, outFile, errFile, jobFile] = texts.slice(-6)
  // biome-ignore format: a row of the table
  const fields: Fields = {
    ...submitted,
    ...(texts.length === 7 ? { postExecCmd: texts[0] } : {}),
    fromHost, cwd, inFile, outFile, errFile, jobFile,
    numAskedHosts: t.count(), askedHosts: t.counts(string), numExHosts: t.count(), execHosts: t.counts(string),
    jStatus: t.integer(), hostFactor: t.decimal(), jobName: t.string(), command: t.string(),
    ru_utime: t.decimal(), ru_stime: t.decimal(), ru_maxrss: t.decimal(), ru_ixrss: t.decimal(), ru_ismrss: t.decimal(),
    ru_idrss: t.decimal(), ru_isrss: t.decimal(), ru_minflt: t.decimal(), ru_majflt: t.decimal(), ru_nswap: t.decimal(),
    ru_inblock: t.decimal(), ru_oublock: t.decimal(), ru_ioch: t.decimal(), ru_msgsnd: t.decimal(), ru_msgrcv: t.decimal(),
    ru_nsignals: t.decimal(), ru_nvcsw: t.decimal(), ru_nivcsw: t.decimal(), ru_exutime: t.decimal(),
    mailUser: t.string(), projectName: t.string(), exitStatus: t.integer(), maxNumProcessors: t.integer(),
    loginShell: t.string(), idx: t.integer(), maxRMem: t.integer(), maxRSwap: t.integer(),
    inFileSpool: t.string(), commandSpool: t.string(),
  }
  if (!t.isDone) fields['extra'] = t.rest()
  return fields
}

/** Without the fields that the record ended before. */
function withoutAbsent(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

const string = (t: Tokens): string => t.string()
const keyedString = (t: Tokens): Fields => ({ key: t.integer(), value: t.string() })
const pairOfStrings = (t: Tokens): Fields => ({ key: t.string(), value: t.string() })
const pair = (t: Tokens): Fields => ({ key: t.any(), value: t.any() })
const network = (t: Tokens): Fields => ({ networkID: t.string(), num_window: t.integer() })
const indexRange = (t: Tokens): Fields => ({ start: t.integer(), end: t.integer(), step: t.integer() })

function hostRusage(t: Tokens): Fields {
  const [host, mem, swap, utime, stime] = [t.word(), t.decimal(), t.decimal(), t.decimal(), t.decimal()]
  return { host, mem, swap, utime, stime, numExt: t.count(), ext: t.counts(pair) }
}

function gpuRusage(t: Tokens): Fields {
  return { host: t.word(), numKVP: t.count(), kvp: t.counts(pair) }
}
