/** JOB_FINISH records to change and cut: each field apart, as it stands in the record. */

import { lsf } from '../../src/formats/lsf.ts'
import type { Parsed } from '../../src/formats/format.ts'

/** Fields 1 to 58: what every version has. */
const base: [name: string, text: string][] = [
  ['eventType', '"JOB_FINISH"'],
  ['version', '"10.108"'],
  ['eventTime', '1700001000'],
  ['jobId', '101'],
  ['userId', '1501'],
  ['options', '33570818'],
  ['numProcessors', '1'],
  ['submitTime', '1700000000'],
  ['beginTime', '0'],
  ['termTime', '0'],
  ['startTime', '1700000100'],
  ['userName', '"anna"'],
  ['queue', '"normal"'],
  ['resReq', '""'],
  ['dependCond', '""'],
  ['preExecCmd', '""'],
  ['fromHost', '"login1"'],
  ['cwd', '"/root"'],
  ['inFile', '""'],
  ['outFile', '"out"'],
  ['errFile', '"err"'],
  ['jobFile', '"1700000000.101"'],
  ['askedHosts', '0'],
  ['execHosts', '1 "node1"'],
  ['jStatus', '64'],
  ['hostFactor', '100.0'],
  ['jobName', '"case"'],
  ['command', '"sleep 3"'],
  ...'utime stime maxrss'
    .split(' ')
    .map((name, index): [string, string] => [`ru_${name}`, ['12.5', '0.25', '3756'][index] ?? '']),
  ...'ixrss ismrss idrss isrss minflt majflt nswap inblock oublock ioch msgsnd msgrcv nsignals nvcsw nivcsw exutime'
    .split(' ')
    .map((name): [string, string] => [`ru_${name}`, '-1']),
  ['mailUser', '""'],
  ['projectName', '"default"'],
  ['exitStatus', '0'],
  ['maxNumProcessors', '1'],
  ['loginShell', '""'],
  ['timeEvent', '""'],
  ['idx', '0'],
  ['maxRMem', '2048'],
  ['maxRSwap', '0'],
  ['inFileSpool', '""'],
  ['commandSpool', '"spool"'],
]

/** What later versions added; a counted group is one of them. */
const added: [name: string, text: string][] = [
  ['rsvId', '"r1"'],
  ['sla', '""'],
  ['exceptMask', '0'],
  ['additionalInfo', '""'],
  ['exitInfo', '0'],
  ['warningAction', '""'],
  ['warningTimePeriod', '-1'],
  ['chargedSAAP', '""'],
  ['licenseProject', '""'],
  ['app', '"app"'],
  ['postExecCmd', '""'],
  ['runtimeEstimation', '-1'],
  ['jobGroupName', '"/grp"'],
  ['requeueEValues', '""'],
  ['options2', '5136'],
  ['resizeNotifyCmd', '""'],
  ['lastResizeTime', '1700000100'],
  ['rsvId2', '"r2"'],
  ['jobDescription', '""'],
  ['submitExt', '2 1032 "0" 1033 "1"'],
  ['hostRusage', '2 node1 10 0 5 6 0 "node2" 20 0 7 8 1 "k" "v"'],
  ['runLimit', '3600'],
  ['options3', '4194304'],
  ['avgMem', '1024'],
  ['effectiveResReq', '"select[type == any] "'],
  ['srcCluster', '""'],
  ['srcJobId', '-1'],
  ['dstCluster', '""'],
  ['dstJobId', '-1'],
  ['forwardTime', '0'],
  ['flow_id', '""'],
  ['acJobWaitTime', '0'],
  ['totalProvisionTime', '0'],
  ['outdir', '""'],
  ['runTime', '900'],
  ['subcwd', '"/root"'],
  ['network', '1 "18338657682652659712" 1'],
  ['affinity', '""'],
  ['serial_job_energy', '0.000000'],
  ['cpi', '0.00'],
  ['gips', '0.00'],
  ['gbs', '0.00'],
  ['gflops', '0.50'],
  ['allocSlots', '1 "node1"'],
  ['ineligiblePendTime', '-1'],
  ['indexRange', '0'],
  ['requeueTime', '0'],
  ['gpuRusage', '1 "node1" 1 "gpu" "0"'],
  ['storageInfoV', '1 "s"'],
  ['kvp', '1 "schedulingOverhead" "0.00"'],
]

/** The names of the fields that a record may end after. */
export const ends = ['commandSpool', ...added.map(([name]) => name)]

/** A record without newline: the fields up to `end`, some of them replaced by `change`. */
export function lsfRecord(change: Record<string, string> = {}, end = 'kvp'): string {
  const all = [...base, ...added]
  const upTo = all.findIndex(([name]) => name === end)
  return all
    .slice(0, upTo + 1)
    .map(([name, text]) => change[name] ?? text)
    .join(' ')
}

export function parseLsf(text: string | Buffer): Parsed {
  return lsf.parse(Buffer.from(text), {})
}
