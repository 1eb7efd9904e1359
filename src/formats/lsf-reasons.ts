/**
 * Why LSF ended a job: the integers of `exitInfo`, as IBM's page "Termination reasons displayed by bacct, bhist, and bjobs" and lsbatch.h
 * give them. A reason says of a job that has exited what became of it; for one that is done it says nothing.
 */

import type { JobState } from './job.ts'

const reasons: Record<number, [name: string, state: JobState]> = {
  1: ['TERM_PREEMPT', 'failed'],
  2: ['TERM_WINDOW', 'failed'],
  3: ['TERM_LOAD', 'failed'],
  4: ['TERM_OTHER', 'failed'],
  5: ['TERM_RUNLIMIT', 'timeout'],
  6: ['TERM_DEADLINE', 'timeout'],
  7: ['TERM_PROCESSLIMIT', 'failed'],
  8: ['TERM_FORCE_OWNER', 'cancelled'],
  9: ['TERM_FORCE_ADMIN', 'cancelled'],
  10: ['TERM_REQUEUE_OWNER', 'requeued'],
  11: ['TERM_REQUEUE_ADMIN', 'requeued'],
  12: ['TERM_CPULIMIT', 'timeout'],
  13: ['TERM_CHKPNT', 'failed'],
  14: ['TERM_OWNER', 'cancelled'],
  15: ['TERM_ADMIN', 'cancelled'],
  16: ['TERM_MEMLIMIT', 'failed'],
  17: ['TERM_EXTERNAL_SIGNAL', 'failed'],
  18: ['TERM_RMS', 'failed'],
  19: ['TERM_ZOMBIE', 'failed'],
  20: ['TERM_SWAP', 'failed'],
  21: ['TERM_THREADLIMIT', 'failed'],
  22: ['TERM_SLURM', 'node_fail'],
  23: ['TERM_BUCKET_KILL', 'cancelled'],
  24: ['TERM_CTRL_PID', 'failed'],
  25: ['TERM_CWD_NOTEXIST', 'failed'],
  26: ['TERM_REMOVE_HUNG_JOB', 'failed'],
  27: ['TERM_ORPHAN_SYSTEM', 'cancelled'],
  28: ['TERM_PRE_EXEC_FAIL', 'failed'],
  29: ['TERM_DATA', 'failed'],
  30: ['TERM_MC_RECALL', 'requeued'],
  31: ['TERM_RC_RECLAIM', 'node_fail'],
  32: ['TERM_CSM_ALLOC', 'failed'],
  33: ['TERM_KUBE', 'failed'],
  34: ['TERM_RC', 'node_fail'],
}

/** Null where no reason was written: 0, and records of before 6.0. A later code that is not known here is given as it is. */
export function terminationOf(exitInfo: unknown): { name: string; state: JobState } | null {
  if (typeof exitInfo !== 'number' || exitInfo <= 0) return null
  const [name, state] = reasons[exitInfo] ?? [String(exitInfo), 'failed' as const]
  return { name, state }
}
