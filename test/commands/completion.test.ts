import { execFileSync } from 'node:child_process'
import test from 'ava'
import { runGleaner } from '../support/run-gleaner.ts'

async function bash(line: string): Promise<string[]> {
  const { stdout } = await runGleaner(['completion', 'bash'])
  const words = line.split(' ')
  const script = `${stdout.toString()}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gleaner; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd: '/' })
    .trim()
    .split('\n')
}

test('bash: commands, commands below them, and options are offered', async (t) => {
  t.deepEqual(await bash('gleaner rec'), ['reconcile'])
  t.deepEqual(await bash('gleaner verify --f'), ['--files'])
  t.deepEqual(await bash('gleaner --config x --json anomalies a'), ['ack'])
  t.deepEqual(await bash('gleaner anomalies ack --r'), ['--reason'])
  t.deepEqual(await bash('gleaner --j'), ['--json'])
})

test('bash: files are offered where a value is wanted', async (t) => {
  t.true((await bash('gleaner --config et')).includes('etc'))
})

test('zsh and fish get a script as well, any other shell is refused', async (t) => {
  t.regex((await runGleaner(['completion', 'zsh'])).stdout.toString(), /^#compdef gleaner\n/)
  const fish = (await runGleaner(['completion', 'fish'])).stdout.toString()
  t.regex(fish, /^complete -c gleaner -f -n .* -a verify -d '/m)
  t.regex(fish, /-n '__fish_seen_subcommand_from verify' -l files -d '/)
  const other = await runGleaner(['completion', 'tcsh'])
  t.is(other.status, 2)
  t.regex(other.stderr, /expected one of bash, zsh, fish/)
})
