/** `gleaner config check | show | schema`. */

import type { Command } from 'commander'
import { checkConfig } from '../config.ts'
import { problemText } from '../config/problems.ts'
import { configSchema, showConfig } from '../config/show.ts'
import type { App } from './app.ts'

export function configCommand(program: Command, app: App): void {
  const config = program.command('config').description('check or show the configuration, or print its JSON Schema')
  config
    .command('check')
    .description('every problem with its line; exit status 2 if there are any')
    .action(() => check(app, program.opts()))
  config
    .command('show')
    .description('the configuration in force, with defaults; secrets are hidden')
    .action(async () => {
      const { stringify } = await import('yaml')
      const shown = showConfig(await app.config())
      app.out(app.json ? JSON.stringify(shown) : stringify(shown))
    })
  config
    .command('schema')
    .description('the JSON Schema of a configuration file')
    .action(() => app.out(JSON.stringify(configSchema(), null, 2)))
}

function check(app: App, { config, logLevel }: { config?: string; logLevel?: string }): void {
  const { file, problems } = checkConfig({ file: config, env: app.env, flags: { logLevel } })
  if (app.json) app.out(JSON.stringify({ ok: problems.length === 0, file, problems }))
  else if (problems.length === 0) app.out(`${file ?? 'the configuration'} is good`)
  else app.out(problems.map(problemText).join('\n'))
  if (problems.length > 0) app.exit(2)
}
