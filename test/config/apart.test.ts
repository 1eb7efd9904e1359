import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { loadConfig } from '../../src/config.ts'
import { loadConfigApart } from '../../src/config/apart.ts'
import { GleanerError } from '../../src/errors.ts'
import { newSigningKey } from '../support/signing.ts'

const scratch = mkdtempSync(join(tmpdir(), 'gleaner-apart-'))
test.after.always(() => rmSync(scratch, { recursive: true, force: true }))

const env = { GLEANER_NODE: 'node-a', WHERE: '/data' }

test('a configuration from a thread is the one that is loaded here: frozen, its secrets with their text', async (t) => {
  const file = join(scratch, 'good.yaml')
  const secrets = { token: 'token-text', key: newSigningKey().pem, tls: '\ufeffPEM\u00fc\n' }
  for (const [name, text] of Object.entries(secrets)) writeFileSync(join(scratch, name), text)
  writeFileSync(
    file,
    `roots: [{name: a, path: "\${WHERE}/a", paths: {node-b: /b}, format: lines, exclude: ["*.x"]}]
redis: {url: "rediss://u:p%20w@redis.example:6380/2", tls: {ca: tls, cert: tls, key: tls}}
sign: {keyFile: key}
serve: {tokenFile: token}
reconcile: {every: "*/5 * * * *"}
`,
  )
  const [here, apart] = [loadConfig({ file, env }), await loadConfigApart({ file, env })]
  t.deepEqual(JSON.parse(JSON.stringify(apart)), JSON.parse(JSON.stringify(here)))
  t.is(apart.roots[0]?.path, '/data/a')
  t.is(apart.redis?.password?.reveal(), 'p w')
  t.is(apart.redis?.tls?.key?.reveal(), secrets.tls)
  t.is(apart.serve.token?.reveal(), secrets.token)
  t.is(apart.sign?.key.reveal(), secrets.key)
  for (const part of [apart, apart.roots, apart.roots[0], apart.redis?.tls, apart.reconcile.every])
    t.true(Object.isFrozen(part))
})

test('what is wrong with it is told as it is here', async (t) => {
  const file = join(scratch, 'bad.yaml')
  writeFileSync(file, 'roots: [{name: a, path: /a, format: lnies}]\n')
  const thrown = (load: () => unknown) =>
    Promise.resolve()
      .then(load)
      .then(
        () => null,
        (error: unknown) => error,
      )
  for (const request of [
    { file, env },
    { file: join(scratch, 'none.yaml'), env },
  ]) {
    const here = await thrown(() => loadConfig(request))
    const apart = await thrown(() => loadConfigApart(request))
    if (!(here instanceof GleanerError) || !(apart instanceof GleanerError)) return t.fail()
    t.deepEqual([apart.code, apart.message, apart.remedy], [here.code, here.message, here.remedy])
  }
})
