/**
 * What `doctor` looks at. Each check says what was found, what that means, and what to do; none writes to a root, and to the archive only
 * what the probe writes and removes again.
 */

import { familyOf } from '../core/family.ts'
import { isKernelAfs } from '../core/mountinfo.ts'
import { worstDetectionMs } from '../core/schedule.ts'
import { GleanerError, isGleanerError, messageOf } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Store } from '../ports/store.ts'
import type { RootContext } from './context.ts'
import { probeStore } from './probe.ts'
import { lookRequest } from './resolve.ts'
import type { Walked } from './walk.ts'
import { walkRoot } from './walk.ts'

export interface Finding {
  check: string
  /** `archive`, `redis`, or the root's name. */
  subject: string
  result: 'ok' | 'warn' | 'fail'
  found: string
  /** What it means; empty where `found` says all. */
  means: string
  /** What to do; empty where nothing is. */
  todo: string
}

/** Limits of the kernel, or null where they cannot be told. */
export interface InotifyLimits {
  watches: number | null
  instances: number | null
}

const clockSkewMsMax = 5000
const readTried = 200
const filesMax = 200_000

export async function diagnoseStore(
  store: Store,
  { clock, random }: { clock: Clock; random: () => string },
): Promise<Finding[]> {
  try {
    const { ok, checks } = await probeStore(store, { random })
    const found = checks.map(({ name, ok: passed, saw }) => `${name}: ${passed ? 'yes' : 'NO'} (${saw})`).join('; ')
    const unfit = ok ? null : new GleanerError('store-unfit', { operation: 'probe', subject: store.url })
    const means = ok ? '' : 'two collectors could overwrite each other here, so nothing is archived'
    return [
      { check: 'store probe', subject: 'archive', result: ok ? 'ok' : 'fail', found, means, todo: unfit?.remedy ?? '' },
      await clocks(store, clock),
    ]
  } catch (error) {
    return [failed('store probe', 'archive', error)]
  }
}

async function clocks(store: Store, clock: Clock): Promise<Finding> {
  const skewMs = Math.round(clock.wallMs() - (await store.nowMs()))
  const isOff = Math.abs(skewMs) > clockSkewMsMax
  return {
    check: 'clocks',
    subject: 'archive',
    result: isOff ? 'warn' : 'ok',
    found: `this node's clock is ${Math.abs(skewMs)} ms ${skewMs < 0 ? 'behind' : 'ahead of'} the store's`,
    means: isOff
      ? 'decisions go by the store, but log lines will not fit what other nodes say; S3 refuses requests from 15 minutes on'
      : '',
    todo: isOff ? 'run a time service such as chrony' : '',
  }
}

export type RedisCheck = { ok: boolean; version: string; policy: string; problems: string[] } | null

export async function diagnoseRedis(check: () => Promise<RedisCheck>): Promise<Finding> {
  try {
    const answer = await check()
    if (answer === null)
      return {
        check: 'redis',
        subject: 'redis',
        result: 'ok',
        found: 'not configured',
        means: 'files are archived, and no records stream is published',
        todo: '',
      }
    const { ok, version, policy, problems } = answer
    const todo = ok ? '' : new GleanerError('redis-unfit', { operation: 'check', subject: 'redis' }).remedy
    const found = [`version ${version}, maxmemory-policy ${policy}`, ...problems].join('; ')
    return {
      check: 'redis',
      subject: 'redis',
      result: ok ? 'ok' : 'fail',
      found,
      means: ok ? '' : 'nothing is published to it',
      todo,
    }
  } catch (error) {
    return failed('redis', 'redis', error)
  }
}

/** Everything about one root. `families`: file → family of up to `familiesMax` files. */
export async function diagnoseRoot(
  context: RootContext,
  limits: InotifyLimits,
): Promise<{ findings: Finding[]; families: { path: string; family: string }[] }> {
  const { root, files } = context
  try {
    const mount = await files.mount()
    const startMs = context.clock.monotonicMs()
    const walked = await walkRoot(context, filesMax)
    const walkMs = context.clock.monotonicMs() - startMs
    const remote = root.remote ?? mount.remote
    const findings = [
      diagnoseMount(root.name, mount, remote),
      filesFinding(root.name, walked),
      await permissions(context, walked.files),
      watches(root.name, walked.directories, limits),
      detection(context, { files: walked.files.length + walked.directories, walkMs }),
    ]
    return { findings, families: walked.files.map((path) => ({ path, family: familyOf(path, root.family) })) }
  } catch (error) {
    return { findings: [failed('mount', root.name, error)], families: [] }
  }
}

/** What a mount means for the listener, and for the node. `subject`: the root's name. */
export function diagnoseMount(
  subject: string,
  mount: { source: string; filesystem: string },
  remote: boolean,
): Finding {
  const found = `${mount.filesystem}, mounted from ${mount.source}; ${remote ? 'other machines may write here' : 'only this machine writes here'}`
  if (!remote)
    return {
      check: 'mount',
      subject,
      result: 'ok',
      found,
      means: 'inotify is not blind here: it sees every change',
      todo: '',
    }
  const means =
    "inotify is blind here to other machines: it sees what this node writes, and nothing of what others write; the reconciler's passes find that"
  const todo =
    'run `listen` on the nodes that write, too; set `remote: false` only if no other machine ever writes here'
  if (isKernelAfs(mount)) {
    return {
      check: 'mount',
      subject,
      result: 'warn',
      found,
      means: `${means}. It is Linux's own AFS client, whose kernel (6.1) was seen to end in a panic when cached pages were dropped of a file that it and another node appended to at once; gleaner has them written before, but whatever else drops them may not`,
      todo: "let one node at a time write a file, or use OpenAFS's client",
    }
  }
  return { check: 'mount', subject, result: 'ok', found, means, todo }
}

function filesFinding(subject: string, { files, directories, links, unread }: Walked): Finding {
  const found = `files: ${files.length}${files.length >= filesMax ? ' or more' : ''}, directories: ${directories}`
  if (unread.length > 0) {
    const todo = `give the collector read and search permission on ${unread
      .slice(0, 5)
      .map((one) => one || 'the root itself')
      .join(', ')}`
    return {
      check: 'files',
      subject,
      result: 'fail',
      found: `${found}, of which ${unread.length} cannot be read`,
      means: 'nothing in those is collected',
      todo,
    }
  }
  if (links.length > 0) {
    const means = `a symbolic link is not followed, and what it leads to is not collected; there are ${links.length}, the first: ${links[0]}`
    const todo = 'make the directory where the file lies a root, or exclude the link'
    return { check: 'files', subject, result: 'warn', found, means, todo }
  }
  if (files.length > 0) return { check: 'files', subject, result: 'ok', found, means: '', todo: '' }
  return {
    check: 'files',
    subject,
    result: 'warn',
    found,
    means: 'there is nothing to collect',
    todo: 'check path, include and exclude',
  }
}

/** Opens some of the files, evenly spread. */
async function permissions(context: RootContext, paths: readonly string[]): Promise<Finding> {
  const { root, files } = context
  const step = Math.max(1, Math.floor(paths.length / readTried))
  const tried = paths.filter((_, index) => index % step === 0).slice(0, readTried)
  const refused: { path: string; why: string }[] = []
  for (const path of tried) {
    try {
      await files.look(path, { ...lookRequest({ probes: [], fresh: false }), beginningBytes: 1 })
    } catch (error) {
      if (isGleanerError(error, 'root-unavailable', 'root-stalled')) throw error
      // Torn: it can be read, and is tried again.
      if (!isGleanerError(error, 'file-gone', 'file-torn')) refused.push({ path, why: messageOf(error) ?? '' })
    }
  }
  const found = `${tried.length - refused.length} of ${tried.length} files tried can be read`
  if (refused.length === 0)
    return { check: 'permissions', subject: root.name, result: 'ok', found, means: '', todo: '' }
  const [first] = refused
  const todo = `give the collector read permission; the first: ${first?.why}`
  return {
    check: 'permissions',
    subject: root.name,
    result: 'fail',
    found,
    means: 'those files are not collected',
    todo,
  }
}

function watches(subject: string, directories: number, limits: InotifyLimits): Finding {
  const found = `directories to watch: ${directories}; max_user_watches ${limits.watches ?? 'unknown'}, max_user_instances ${limits.instances ?? 'unknown'}`
  if (limits.watches === null || directories <= limits.watches)
    return { check: 'inotify', subject, result: 'ok', found, means: '', todo: '' }
  const means = 'changes in some directories are found by passes alone'
  return {
    check: 'inotify',
    subject,
    result: 'warn',
    found,
    means,
    todo: `sysctl fs.inotify.max_user_watches=${2 ** Math.ceil(Math.log2(directories * 2))}`,
  }
}

function detection({ root }: RootContext, { files, walkMs }: { files: number; walkMs: number }): Finding {
  const { everyMs, fullEveryMs, metadataPerSecondMax } = root.reconcile
  const worstMs = worstDetectionMs({ everyMs, fullEveryMs }, { files, metadataPerSecondMax, passMs: walkMs })
  const found = `a pass every ${seconds(everyMs)}, a full one every ${seconds(fullEveryMs)}; listing took ${seconds(walkMs)}`
  const means = `a change that inotify does not see is found after ${seconds(worstMs)} at worst, in a hot file after about ${seconds(everyMs)}`
  return { check: 'detection', subject: root.name, result: 'ok', found, means, todo: '' }
}

export function failed(check: string, subject: string, error: unknown): Finding {
  const todo = isGleanerError(error) ? error.remedy : ''
  return { check, subject, result: 'fail', found: messageOf(error) ?? 'failed', means: '', todo }
}

function seconds(ms: number): string {
  return `${ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`
}
