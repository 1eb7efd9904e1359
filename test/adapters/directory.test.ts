import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { sweep } from '../../src/adapters/directory-draft.ts'
import { durableNames } from '../../src/adapters/directory-durable.ts'
import { openDirectoryStore } from '../../src/adapters/directory.ts'
import { type ErrorCode, isGleanerError } from '../../src/errors.ts'
import type { Store } from '../../src/ports/store.ts'

async function withDirectory(run: (path: string, store: Store) => Promise<unknown>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'gleaner-directory-'))
  const store = openDirectoryStore({ path, url: `file://${path}` })
  try {
    await run(path, store)
  } finally {
    await store.close()
    await rm(path, { recursive: true })
  }
}

async function throwsCode(t: ExecutionContext, code: ErrorCode, call: () => Promise<unknown>): Promise<void> {
  const error = await t.throwsAsync(call)
  t.true(isGleanerError(error, code), `${code} expected, not ${String(error)}`)
}

/** Every file below, drafts too. */
async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name !== '.gleaner-swept')
    .map((entry) => entry.name)
    .toSorted()
}

const body = Buffer.from('body')
const mayMount = spawnSync('unshare', ['-m', 'true']).status === 0

test('a directory that is missing is store-missing for every call, and is not made', async (t) => {
  await withDirectory(async (path) => {
    const store = openDirectoryStore({ path: join(path, 'none'), url: 'file:///none' })
    await throwsCode(t, 'store-missing', () => store.create('evidence/a', body))
    await throwsCode(t, 'store-missing', () => store.put('derived/a', body))
    await throwsCode(t, 'store-missing', () => store.get('evidence/a'))
    await throwsCode(t, 'store-missing', () => store.list('evidence/'))
    await throwsCode(t, 'store-missing', () => store.nowMs())
    await store.close()
    t.deepEqual(await readdir(path), [])
  })
})

test('another directory in the place of the archive, as a mount point without its mount, is store-missing until it is back', async (t) => {
  await withDirectory(async (path) => {
    const at = join(path, 'archive')
    await mkdir(at)
    const store = openDirectoryStore({ path: at, url: `file://${at}` })
    await store.create('evidence/store.json', body)
    await store.create('evidence/a', body)
    await rename(at, join(path, 'away'))
    for (const other of [null, 'of another archive']) {
      await mkdir(join(at, 'evidence'), { recursive: true })
      if (other !== null) await writeFile(join(at, 'evidence', 'store.json'), other)
      await throwsCode(t, 'store-missing', () => store.create('evidence/b', body))
      await throwsCode(t, 'store-missing', () => store.put('derived/b', body))
      await throwsCode(t, 'store-missing', () => store.get('evidence/a'))
      await throwsCode(t, 'store-missing', () => store.list('evidence/a'))
      t.deepEqual(await filesBelow(at), other === null ? [] : ['store.json'])
      await rm(at, { recursive: true })
    }
    await rename(join(path, 'away'), at)
    t.deepEqual(await store.create('evidence/a', body), { outcome: 'exists' })
    t.is((await store.create('evidence/b', body)).outcome, 'created')
    await store.close()
  })
})

test('an archive that was restored from a copy in its place is the same archive', async (t) => {
  await withDirectory(async (path) => {
    const at = join(path, 'archive')
    await mkdir(at)
    const store = openDirectoryStore({ path: at, url: `file://${at}` })
    await store.create('evidence/store.json', body)
    await cp(at, join(path, 'copy'), { recursive: true })
    await rm(at, { recursive: true })
    await rename(join(path, 'copy'), at)
    t.is((await store.create('evidence/a', body)).outcome, 'created')
    await store.close()
  })
})

test('a file in the place of a directory is store-missing', async (t) => {
  await withDirectory(async (path, store) => {
    await writeFile(join(path, 'evidence'), '')
    await throwsCode(t, 'store-missing', () => store.create('evidence/a', body))
    const inFile = openDirectoryStore({ path: join(path, 'evidence'), url: 'file:///evidence' })
    await throwsCode(t, 'store-missing', () => inFile.create('a', body))
    await inFile.close()
  })
})

test('drafts are gone after created, exists and put', async (t) => {
  await withDirectory(async (path, store) => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => store.create(`evidence/${n % 4}`, body)))
    await store.put('derived/a', body)
    await store.put('derived/a', body)
    t.deepEqual(await filesBelow(path), ['0', '1', '2', '3', 'a'])
  })
})

test('two stores on one directory, as two processes would be: one create wins', async (t) => {
  await withDirectory(async (path, store) => {
    const other = openDirectoryStore({ path, url: `file://${path}` })
    for (let n = 0; n < 20; n++) {
      const outcomes = await Promise.all([store, other].map((one) => one.create(`evidence/${n}/a`, body)))
      t.deepEqual(outcomes.map(({ outcome }) => outcome).toSorted(), ['created', 'exists'])
    }
    await other.close()
  })
})

test('a directory that another process removed is made again', async (t) => {
  await withDirectory(async (path, store) => {
    await store.create('evidence/segments/a', body)
    await rm(join(path, 'evidence'), { recursive: true })
    t.is((await store.create('evidence/segments/b', body)).outcome, 'created')
    await rm(join(path, 'evidence'), { recursive: true })
    t.deepEqual((await store.list('')).objects, [])
  })
})

test('removing the last derived object of a directory removes the directory; evidence keeps its own', async (t) => {
  await withDirectory(async (path, store) => {
    await store.put('derived/probe/x/a', body)
    await store.put('derived/b', body)
    await store.create('evidence/a/b', body)
    await store.remove('derived/probe/x/a')
    await store.remove('evidence/a/b')
    t.deepEqual((await readdir(path, { recursive: true })).filter((name) => !name.startsWith('.')).toSorted(), [
      'derived',
      'derived/b',
      'evidence',
      'evidence/a',
    ])
    t.is((await store.create('evidence/a/b', body)).outcome, 'created')
    t.is((await store.create('derived/probe/x/a', body)).outcome, 'created')
  })
})

test('drafts, symlinks, special files and foreign names are not listed', async (t) => {
  await withDirectory(async (path, store) => {
    await store.create('evidence/a', body)
    await writeFile(join(path, 'evidence', '.gleaner-0123456789abcdef'), '')
    await writeFile(join(path, 'evidence', 'with space'), '')
    await symlink('a', join(path, 'evidence', 'link'))
    await symlink('/', join(path, 'evidence', 'top'))
    execFileSync('mkfifo', [join(path, 'evidence', 'fifo')])
    t.deepEqual(
      (await store.list('')).objects.map(({ key }) => key),
      ['evidence/a'],
    )
  })
})

test('the sweep removes drafts older than a day, once a day, and nothing else', async (t) => {
  await withDirectory(async (path) => {
    const below = join(path, 'evidence', 'segments')
    await mkdir(below, { recursive: true })
    const old = new Date(Date.now() - 25 * 3_600_000)
    const names = ['.gleaner-0000000000000000', '.gleaner-000000000000000', '.other', '0000.zst']
    for (const name of names) {
      await writeFile(join(below, name), '')
      await utimes(join(below, name), old, old)
    }
    await writeFile(join(below, '.gleaner-1111111111111111'), 'in use')
    t.is(await sweep(path), 1)
    t.deepEqual(await readdir(below).then((left) => left.toSorted()), [
      '.gleaner-000000000000000',
      '.gleaner-1111111111111111',
      '.other',
      '0000.zst',
    ])
    await utimes(join(below, '.gleaner-1111111111111111'), old, old)
    t.is(await sweep(path), 0)
    await utimes(join(path, '.gleaner-swept'), old, old)
    t.is(await sweep(path), 1)
  })
})

test('the first write starts the sweep', async (t) => {
  await withDirectory(async (path, store) => {
    const draft = join(path, '.gleaner-0000000000000000')
    await writeFile(draft, '')
    await utimes(draft, 0, 0)
    await store.create('evidence/a', body)
    while ((await readdir(path)).includes('.gleaner-0000000000000000'))
      await new Promise((resolve) => setImmediate(resolve))
    t.pass()
  })
})

test('a process killed before its link leaves a draft and no object, and the key is free', async (t) => {
  await withDirectory(async (path, store) => {
    const adapters = new URL('../../src/adapters/', import.meta.url).href
    const script = `
      const { draftPath, writeDraft } = await import('${adapters}directory-draft.ts')
      await writeDraft(draftPath(${JSON.stringify(path)}), Buffer.from('half done'))
      process.stdout.write('written')
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    t.is((await filesBelow(path)).length, 1)
    t.deepEqual((await store.list('')).objects, [])
    t.is((await store.create('a', body)).outcome, 'created')
  })
})

test('processes killed at any moment leave whole objects or none', async (t) => {
  await withDirectory(async (path, store) => {
    const adapters = new URL('../../src/adapters/', import.meta.url).href
    const script = `
      const { openDirectoryStore } = await import('${adapters}directory.ts')
      const store = openDirectoryStore({ path: ${JSON.stringify(path)}, url: 'file:///x' })
      for (let n = 0; ; n += 8) await Promise.all(Array.from({ length: 8 }, async (_, at) => {
        await store.create('evidence/' + process.pid + '/' + (n + at), Buffer.alloc(50_000, 'x'))
        process.stdout.write((n + at) + '\\n')
      }))`
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let told = ''
      child.stdout.on('data', (chunk: Buffer) => {
        told += chunk.toString()
        if (told.split('\n').length > 20 + round * 13) child.kill('SIGKILL')
      })
      await once(child, 'close')
      const { objects } = await store.list(`evidence/${child.pid}/`)
      const kept = new Set(objects.map(({ key }) => key.split('/').at(-1)))
      t.true(
        told
          .split('\n')
          .slice(0, -1)
          .every((n) => kept.has(n)),
      )
      t.true(objects.every(({ size }) => size === 50_000))
    }
  })
})

test('an fsync covers what was named before it began, and those who wait share one', async (t) => {
  await withDirectory(async (path) => {
    const names = durableNames(path)
    const first = names.sync(path)
    const second = names.sync(path)
    const third = names.sync(path)
    t.not(second, first)
    t.is(third, second)
    await first
    t.is(names.sync(path), second)
    await second
    t.not(names.sync(path), second)
    await names.sync(path)
    const missing = join(path, 'none')
    const failures = [names.sync(missing), names.sync(missing), names.sync(missing)]
    t.deepEqual(
      (await Promise.allSettled(failures)).map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    )
    await mkdir(missing)
    await t.notThrowsAsync(names.sync(missing))
  })
})

if (mayMount) {
  test('a full disk is store-full, leaves no draft, and goes on once there is room', async (t) => {
    await withMount('size=256k', async (path, store) => {
      await throwsCode(t, 'store-full', () => store.create('evidence/a', Buffer.alloc(1 << 20)))
      await throwsCode(t, 'store-full', () => store.put('derived/a', Buffer.alloc(1 << 20)))
      t.deepEqual(await filesBelow(path), [])
      t.is((await store.create('evidence/a', Buffer.alloc(100_000))).outcome, 'created')
      await throwsCode(t, 'store-full', () => store.create('evidence/b', Buffer.alloc(200_000)))
      await store.remove('evidence/a')
      t.is((await store.create('evidence/b', Buffer.alloc(200_000))).outcome, 'created')
    })
  })

  test('a read-only directory is store-denied to write and can be read', async (t) => {
    await withMount('size=256k', async (path, store) => {
      await store.create('evidence/a', body)
      await store.close()
      execFileSync('mount', ['-o', 'remount,ro', path])
      const reader = openDirectoryStore({ path, url: `file://${path}` })
      await throwsCode(t, 'store-denied', () => reader.create('evidence/b', body))
      await throwsCode(t, 'store-denied', () => reader.put('derived/b', body))
      await throwsCode(t, 'store-denied', () => reader.remove('evidence/a'))
      await throwsCode(t, 'store-denied', () => reader.nowMs())
      t.deepEqual(await reader.create('evidence/a', body), { outcome: 'exists' })
      t.is((await reader.get('evidence/a'))?.body.toString(), 'body')
      t.is((await reader.list('')).objects.length, 1)
      await reader.close()
    })
  })
}

async function withMount(options: string, run: (path: string, store: Store) => Promise<unknown>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'gleaner-mount-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  const store = openDirectoryStore({ path, url: `file://${path}` })
  try {
    await run(path, store)
  } finally {
    await store.close()
    execFileSync('umount', [path])
    await rm(path, { recursive: true })
  }
}

test('the time of an object is the mtime of its file', async (t) => {
  await withDirectory(async (path, store) => {
    const created = await store.create('evidence/a', body)
    const { storedAtMs } = (await store.get('evidence/a')) ?? {}
    t.deepEqual(created, { outcome: 'created', storedAtMs: storedAtMs ?? 0 })
    await utimes(join(path, 'evidence', 'a'), 1_500_000_000.25, 1_500_000_000.25)
    t.is((await store.get('evidence/a'))?.storedAtMs, 1_500_000_000_250)
    t.is((await store.list('')).objects[0]?.storedAtMs, 1_500_000_000_250)
    t.is((await readFile(join(path, 'evidence', 'a'))).toString(), 'body')
  })
})

test('a directory whose parent was removed after it was made is made again', async (t) => {
  await withDirectory(async (path, store) => {
    await store.put('derived/one/a', body)
    await rm(join(path, 'derived'), { recursive: true })
    await store.put('derived/two/b', body)
    t.is((await store.get('derived/two/b'))?.body.toString(), 'body')
  })
})
