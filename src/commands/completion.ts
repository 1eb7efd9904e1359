/** `gleaner completion bash|zsh|fish`: a script for the shell, made from the commands as they are registered. */

import type { Command } from 'commander'
import { GleanerError } from '../errors.ts'
import type { App } from './app.ts'

const shells = ['bash', 'zsh', 'fish'] as const

/** A command as a shell knows it: `''` for gleaner itself, `anomalies ack` for one below another. */
interface Words {
  command: string
  options: { flag: string; description: string; takesValue: boolean }[]
  commands: { name: string; description: string }[]
}

export function completionCommand(program: Command, app: App): void {
  program
    .command('completion')
    .description('a completion script for bash, zsh or fish, to be sourced')
    .argument('<shell>', shells.join(', '))
    .action((shell: string) => {
      const words = wordsOf(program, '')
      if (shell === 'bash') app.out(bash(words))
      else if (shell === 'zsh') app.out(`#compdef gleaner\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}`)
      else if (shell === 'fish') app.out(fish(words))
      else
        throw new GleanerError('usage', {
          operation: 'completion',
          subject: shell,
          message: `expected one of ${shells.join(', ')}`,
        })
    })
}

function wordsOf(command: Command, path: string): Words[] {
  const options = command.options.flatMap((option) =>
    option.long
      ? [{ flag: option.long, description: option.description, takesValue: option.required || option.optional }]
      : [],
  )
  const commands = command.commands.map((one) => ({ name: one.name(), description: one.description() }))
  const below = command.commands.flatMap((one) => wordsOf(one, `${path} ${one.name()}`.trim()))
  return [
    { command: path, options: [...options, { flag: '--help', description: 'help', takesValue: false }], commands },
    ...below,
  ]
}

/** Finds the command among the words before the cursor, and offers its options, its commands, or files after an option with a value. */
function bash(words: Words[]): string {
  const cases = words.map(({ command, options, commands }) => {
    const offered = [...commands.map(({ name }) => name), ...options.map(({ flag }) => flag)].join(' ')
    return `    '${command}') offered='${offered}' ;;`
  })
  const valued = [
    ...new Set(words.flatMap(({ options }) => options.filter((one) => one.takesValue).map(({ flag }) => flag))),
  ]
  const known = words.map(({ command }) => `'${command}'`).filter((command) => command !== "''")
  return `_gleaner() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command='' offered='' word skip=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case "$word" in
      ${valued.join('|')}) skip=1 ;;
      -*) ;;
      *) case "\${command:+$command }$word" in
        ${known.join('|')}) command="\${command:+$command }$word" ;;
      esac ;;
    esac
  done
  case "$previous" in ${valued.join('|')}) COMPREPLY=($(compgen -f -- "$current")); return ;; esac
  case "$command" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$current"))
}
complete -F _gleaner gleaner
`
}

function fish(words: Words[]): string {
  const text = (description: string): string => `'${description.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  const lines = words.flatMap(({ command, options, commands }) => {
    const seen = command.split(' ').filter((word) => word !== '')
    const without =
      commands.length > 0 ? `; and not __fish_seen_subcommand_from ${commands.map(({ name }) => name).join(' ')}` : ''
    const when = seen.length === 0 ? 'true' : seen.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')
    return [
      ...commands.map(
        ({ name, description }) => `complete -c gleaner -f -n '${when}${without}' -a ${name} -d ${text(description)}`,
      ),
      ...options.map(
        ({ flag, description, takesValue }) =>
          `complete -c gleaner -n '${when}' -l ${flag.slice(2)} ${takesValue ? '-r ' : ''}-d ${text(description)}`,
      ),
    ]
  })
  return `${lines.join('\n')}\n`
}
