/**
 * What only real directories and a real kernel can show. The cases that need limits or mounts of their own run a child process in a user
 * and mount namespace, so that nothing of the machine is changed and root is not needed; where the kernel refuses namespaces they
 * say so and check nothing.
 */
import test, { type ExecutionContext } from 'ava'
import * as fc from 'fast-check'
import { spawn, spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { encodePath } from '../../src/core/path.ts'
import { isGleanerError } from '../../src/errors.ts'
import { openInotify } from '../../src/adapters/inotify.ts'
import { record, type Recorder } from '../contract/watch.ts'

const adapter = new URL('../../src/adapters/inotify.ts', import.meta.url).href

test('a file in a directory made a moment ago is reported', async (t) => {
  await withWatch(async ({ root, events }) => {
    const paths = Array.from({ length: 300 }, (_, i) => `user${i}/a/b/job`)
    for (const path of paths) writeDeep(join(root, path))
    await events.seen(...paths)
    events.clear()
    for (const path of paths) fs.appendFileSync(join(root, path), 'more\n')
    await events.seen(...paths)
    t.deepEqual(events.errors, [])
  })
})

test('directories stand before start are watched, and their files are not reported', async (t) => {
  await withWatch(
    async ({ root, events }) => {
      fs.appendFileSync(join(root, 'deep/er/new'), 'x')
      await events.seen('deep/er/new')
      t.deepEqual([...new Set(events.paths)], ['deep/er/new'])
    },
    (root) => writeDeep(join(root, 'deep/er/old')),
  )
})

test('names with a newline, or that are not UTF-8, keep their bytes', async (t) => {
  await withWatch(async ({ root, events }) => {
    const directory = Buffer.from('d\xff\n', 'latin1')
    const file = Buffer.from('a b\xc3\x28%\n', 'latin1')
    fs.mkdirSync(Buffer.concat([Buffer.from(`${root}/`), directory]))
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), directory, Buffer.from('/'), file]), 'x')
    const path = encodePath(Buffer.concat([directory, Buffer.from('/'), file]))
    t.is(path, 'd%FF%0A/a%20b%C3(%25%0A')
    await events.seen(path)
    events.clear()
    fs.appendFileSync(Buffer.concat([Buffer.from(`${root}/`), directory, Buffer.from('/'), file]), 'x')
    await events.seen(path)
  })
})

test('what is moved in is reported, also a directory with what it holds; what is moved out no longer is', async (t) => {
  const outside = temporary()
  await withWatch(async ({ root, events }) => {
    writeDeep(join(outside, 'in/b/file'))
    fs.writeFileSync(join(outside, 'single'), 'x')
    fs.renameSync(join(outside, 'single'), join(root, 'single'))
    fs.renameSync(join(outside, 'in'), join(root, 'in'))
    await events.seen('single', 'in/b/file')
    fs.renameSync(join(root, 'single'), join(outside, 'single'))
    fs.renameSync(join(root, 'in'), join(outside, 'gone'))
    fs.writeFileSync(join(root, 'mark'), 'x')
    await events.seen('mark')
    events.clear()
    fs.appendFileSync(join(outside, 'gone/b/file'), 'x')
    fs.writeFileSync(join(root, 'mark2'), 'x')
    await events.seen('mark2')
    t.deepEqual(
      events.paths.filter((path) => path.startsWith('in/')),
      [],
    )
  })
  fs.rmSync(outside, { recursive: true })
})

test('symlinks to directories are not followed', async (t) => {
  const outside = temporary()
  fs.mkdirSync(join(outside, 'd'))
  await withWatch(
    async ({ root, events }) => {
      fs.symlinkSync(outside, join(root, 'later'))
      fs.writeFileSync(join(outside, 'd/file'), 'x')
      fs.writeFileSync(join(root, 'mark'), 'x')
      await events.seen('mark')
      t.deepEqual(new Set(events.paths), new Set(['later', 'mark']))
    },
    (root) => fs.symlinkSync(outside, join(root, 'before')),
  )
  fs.rmSync(outside, { recursive: true })
})

/** Directories are made, moved and removed in any order; afterwards every directory that is left must be heard at its right path. */
test('after any sequence of directory moves each file is reported where it stands', async (t) => {
  const name = fc.constantFrom('a', 'b', 'a/a', 'a/b', 'b/a', 'b/b', 'b/a/b')
  const step = fc.oneof(
    fc.record({ do: fc.constant('make' as const), at: name }),
    fc.record({ do: fc.constant('move' as const), at: name, to: name }),
    fc.record({ do: fc.constant('out' as const), at: name }),
    fc.record({ do: fc.constant('remove' as const), at: name }),
    fc.record({ do: fc.constant('wait' as const), at: name }),
  )
  const run = async (steps: (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) => {
    const outside = temporary()
    let marks = 0
    await withWatch(async ({ root, events }) => {
      for (const each of steps) {
        const at = join(root, each.at)
        if (each.do === 'make') fs.mkdirSync(at, { recursive: true })
        else if (each.do === 'remove') fs.rmSync(at, { recursive: true, force: true })
        else if (each.do === 'wait') await seenMark(root, events, `mark${marks++}`)
        else attempt(() => fs.renameSync(at, each.do === 'out' ? join(outside, `${marks++}`) : join(root, each.to)))
      }
      await seenMark(root, events, 'last')
      events.clear()
      const files = fs
        .readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((path) => fs.statSync(join(root, path)).isDirectory())
        .map((path) => `${path}/file`)
      for (const name of fs.readdirSync(outside)) fs.writeFileSync(join(outside, name, 'file'), 'x')
      for (const path of files) fs.writeFileSync(join(root, path), 'x')
      await events.seen(...files)
      const heard = new Set(events.paths.filter((path) => path.endsWith('file')))
      t.deepEqual([...heard].toSorted(), files.toSorted())
    })
    fs.rmSync(outside, { recursive: true })
  }
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 25 }), run), { numRuns: 25 })
})

test('a flood that outruns the kernel queue is told as an overflow, and directories made meanwhile are watched after it', async (t) => {
  await withWatch(async ({ root, events }) => {
    const files = ['one', 'two'].map((name) => fs.openSync(join(root, name), 'a'))
    // Two files in turn, so that the kernel cannot merge equal events; more of them than the waiting batches (64 of 64 KiB) and the
    // kernel's queue hold together. This thread takes no batch meanwhile, so the queue stays full, and the mkdir is lost.
    const queueMax = Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'))
    for (let i = 0; i < 64 * 2048 + queueMax + 20_000; i++) fs.writeSync(files[i % 2] ?? 0, 'x')
    writeDeep(join(root, 'late/x/file'))
    for (const file of files) fs.closeSync(file)
    await events.until(() => events.overflows > 0, 'overflow')
    // One flood may overflow more than once; what is written before the last of them is lost too.
    const heard = () => events.paths.includes('late/x/file')
    while (!heard()) {
      const { overflows } = events
      fs.appendFileSync(join(root, 'late/x/file'), 'x')
      await events.until(() => heard() || events.overflows > overflows, 'late/x/file')
    }
    t.deepEqual(events.errors, [])
  })
})

test('a root that is removed or moved, or was never there, is blind with watch-failed', async (t) => {
  for (const lose of [
    (root: string) => fs.rmSync(root, { recursive: true }),
    (root: string) => fs.renameSync(root, `${root}.moved`),
  ]) {
    await withWatch(async ({ root, events }) => {
      lose(root)
      await events.until(() => events.errors.length > 0, 'blind')
      t.true(isGleanerError(events.errors[0], 'watch-failed'))
      fs.rmSync(`${root}.moved`, { recursive: true, force: true })
      t.is(events.errors.length, 1)
    })
  }
  const events = record()
  const watch = openInotify({ root: 'lsf', path: '/nonexistent/logdir' })
  await watch.start(events)
  await events.until(() => events.errors.length > 0, 'blind')
  t.true(isGleanerError(events.errors[0], 'watch-failed'))
  t.regex(events.errors[0]?.message ?? '', /\/nonexistent\/logdir/)
  await watch.close()
})

test('close during start ends it', async (t) => {
  const root = temporary()
  for (let i = 0; i < 500; i++) fs.mkdirSync(join(root, `d${i}`))
  const events = record()
  const watch = openInotify({ root: 'lsf', path: root })
  const started = watch.start(events)
  await watch.close()
  await started
  t.deepEqual(events.errors, [])
  fs.rmSync(root, { recursive: true })
})

test('a process that closes its watch exits by itself, and one that calls process.exit is not held up', async (t) => {
  if (!namespaces(t)) return
  const root = temporary()
  const closing = child(root, [])
  await closing.run('START')
  t.is(await closing.end(), 0)
  const exiting = child(root, [])
  await exiting.run('START')
  exiting.send('EXIT')
  t.is(await exiting.ended, 7)
  fs.rmSync(root, { recursive: true })
})

test('out of watches: watch-limit names the sysctl, its value and how far it came; what is watched stays so', async (t) => {
  if (!namespaces(t)) return
  const root = temporary()
  for (let i = 0; i < 10; i++) fs.mkdirSync(join(root, `d${i}`))
  const limited = child(root, ['sh', '-c', 'echo 5 > /proc/sys/user/max_inotify_watches && exec "$0" "$@"'])
  await limited.run('START')
  const [code, message] = limited.blind()
  t.is(code, 'watch-limit')
  t.regex(message ?? '', /fs\.inotify\.max_user_watches is \d+ \(user\.max_inotify_watches 5\).* 5 directories/)
  fs.writeFileSync(join(root, 'file'), 'x')
  await limited.events.seen('file')
  fs.mkdirSync(join(root, 'one-more'))
  fs.writeFileSync(join(root, 'file2'), 'x')
  await limited.events.seen('file2')
  t.is(limited.events.errors.length, 1)
  t.is(await limited.end(), 0)
  fs.rmSync(root, { recursive: true })
})

test('out of inotify instances: watch-failed names that sysctl', async (t) => {
  if (!namespaces(t)) return
  const root = temporary()
  const limited = child(root, ['sh', '-c', 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$0" "$@"'])
  await limited.run('START')
  const [code, message] = limited.blind()
  t.is(code, 'watch-failed')
  t.regex(message ?? '', /fs\.inotify\.max_user_instances is \d+ \(user\.max_inotify_instances 0\)/)
  t.is(await limited.end(), 0)
  fs.rmSync(root, { recursive: true })
})

test('a root that is unmounted, or mounted over, is blind', async (t) => {
  if (!namespaces(t)) return
  const root = temporary()
  for (const [before, after] of [
    [`mount -t tmpfs none ${root}`, `umount -l ${root}`],
    ['true', `mount -t tmpfs none ${root}`],
  ]) {
    const mounting = child(root, [])
    await mounting.run(before ?? '')
    await mounting.run('START')
    await mounting.run(`echo x > ${root}/file`)
    await mounting.events.seen('file')
    await mounting.run(after ?? '')
    await mounting.events.until(() => mounting.events.errors.length > 0, 'blind')
    t.is(mounting.blind()[0], 'watch-failed')
    t.is(await mounting.end(), 0)
  }
  fs.rmSync(root, { recursive: true })
})

test('a directory below that is unmounted leaves the rest watched, and what it covered', async (t) => {
  if (!namespaces(t)) return
  const root = temporary()
  fs.mkdirSync(join(root, 'sub'))
  const mounting = child(root, [])
  await mounting.run(`mount -t tmpfs none ${root}/sub && mkdir ${root}/sub/x`)
  await mounting.run('START')
  await mounting.run(`echo x > ${root}/sub/x/inner`)
  await mounting.events.seen('sub/x/inner')
  await mounting.run(`umount -l ${root}/sub; echo x > ${root}/mark`)
  await mounting.events.seen('mark')
  await mounting.run(`echo x > ${root}/sub/beneath`)
  await mounting.events.seen('sub/beneath')
  t.is(mounting.events.errors.length, 0)
  t.is(await mounting.end(), 0)
  fs.rmSync(root, { recursive: true })
})

function temporary(): string {
  return fs.mkdtempSync(join(tmpdir(), 'gleaner-inotify-'))
}

function writeDeep(path: string): void {
  fs.mkdirSync(join(path, '..'), { recursive: true })
  fs.writeFileSync(path, 'x')
}

/** A move that cannot be (nothing there, into itself, onto a full directory) is no step. */
function attempt(move: () => void): void {
  try {
    move()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error
  }
}

async function seenMark(root: string, events: Recorder, name: string): Promise<void> {
  fs.writeFileSync(join(root, name), 'x')
  await events.seen(name)
}

async function withWatch(
  run: (given: { root: string; events: Recorder }) => Promise<void>,
  prepare: (root: string) => void = () => undefined,
): Promise<void> {
  const root = temporary()
  prepare(root)
  const events = record()
  const watch = openInotify({ root: 'lsf', path: root })
  try {
    await watch.start(events)
    await run({ root, events })
  } finally {
    await watch.close()
    fs.rmSync(root, { recursive: true, force: true })
  }
}

function namespaces(t: ExecutionContext): boolean {
  if (spawnSync('unshare', ['-Urm', 'true']).status === 0) return true
  t.log('not checked: this kernel or container refuses user namespaces')
  t.pass()
  return false
}

const childProgram = `
  import { execSync } from 'node:child_process'
  import { createInterface } from 'node:readline'
  const { openInotify } = await import(process.argv[1])
  const tell = (...message) => process.stdout.write(JSON.stringify(message) + '\\n')
  const watch = openInotify({ root: 'lsf', path: process.argv[2] })
  const events = { changed: (path) => tell('changed', path), overflow: () => tell('overflow'), blind: (e) => tell('blind', e.code, e.message) }
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'EXIT') process.exit(7)
    else if (line === 'START') { await watch.start(events); await new Promise(setImmediate) }
    else execSync(line)
    tell('done')
  }
  await watch.close()
`

/** A process of its own that watches `root`, runs shell lines (and START, EXIT) and tells its events; in namespaces where they are allowed. */
function child(root: string, prefix: string[]) {
  const events = record()
  const blinds: string[][] = []
  const answers: (() => void)[] = []
  const command = [...prefix, process.execPath, '--input-type=module', '-e', childProgram, '--', adapter, root]
  const started = spawn('unshare', ['-Urm', ...command], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => started.on('close', resolve))
  createInterface({ input: started.stdout }).on('line', (line) => {
    const [kind, ...rest] = JSON.parse(line) as string[]
    if (kind === 'done') answers.shift()?.()
    else if (kind === 'changed') events.changed(rest[0] ?? '')
    else if (kind === 'overflow') events.overflow()
    else {
      blinds.push(rest)
      events.blind(new Error(rest.join(' ')))
    }
  })
  const send = (line: string) => started.stdin.write(`${line}\n`)
  return {
    events,
    ended,
    send,
    blind: () => blinds[0] ?? [],
    run: (line: string) =>
      new Promise<void>((resolve) => {
        answers.push(resolve)
        send(line)
      }),
    async end() {
      started.stdin.end()
      return ended
    },
  }
}
